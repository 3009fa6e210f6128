namespace Elastic.Corpus;

/// <summary>What signs between values of a template mean, and what stands at a place of one.</summary>
internal static class TemplateArithmetic
{
    /// <summary>Two values with a sign between them. A sum of texts is one after the other.</summary>
    public static object? Of(string sign, object? one, object? other, TemplatePlace at)
    {
        if (sign == "~")
            return TemplateText.Concat(TemplateValues.Text(one, at), TemplateValues.Text(other, at));
        switch (one, other)
        {
            case (TemplateText a, TemplateText b) when sign == "+":
                return TemplateText.Concat(a, b);
            case (List<object?> a, List<object?> b) when sign == "+" && a.Count + b.Count <= TemplateRun.MostItems:
                return (List<object?>)[.. a, .. b];
            case (long, 0L) or (double, 0L) when sign is "//" or "/" or "%":
                throw at.Refusal("divides by 0");
            case (long a, long b):
                return sign switch
                {
                    "+" => unchecked(a + b),
                    "-" => unchecked(a - b),
                    "*" => unchecked(a * b),
                    // Towards the smaller one, as Python does it.
                    "//" => (long)Math.Floor((double)a / b),
                    // The least number has no quotient by -1.
                    "%" => b == -1 ? 0 : (a % b + b) % b,
                    _ => (object)((double)a / b),
                };
            case var _ when TemplateValues.IsNumber(one) && TemplateValues.IsNumber(other):
                var (left, right) = (TemplateValues.Number(one), TemplateValues.Number(other));
                return sign switch
                {
                    "+" => left + right,
                    "-" => left - right,
                    "*" => left * right,
                    "//" => Math.Floor(left / right),
                    "%" => left - right * Math.Floor(left / right),
                    _ => left / right,
                };
            default:
                throw at.Refusal($"has {Shown(one, at)} {sign} {Shown(other, at)}, which have no such sum");
        }
    }

    /// <summary>The item of that number or key; undefined where there is none.</summary>
    public static object? Item(object? value, object? key) => (value, key) switch
    {
        (Dictionary<string, object?> map, TemplateText name) when map.TryGetValue(name.Text, out var found) => found,
        (List<object?> list, long number) when At(number, list.Count) is var place and >= 0 => list[place],
        (TemplateText text, long number) when At(number, text.Text.Length) is var place and >= 0 => text.Slice(place, 1),
        _ => TemplateValues.Undefined,
    };

    /// <summary>The items from one to before another, as Python has them.</summary>
    /// <param name="bounds">First, end and step; null for what is not given.</param>
    public static object? Slice(object? value, IReadOnlyList<object?> bounds, TemplatePlace at)
    {
        var count = value switch
        {
            List<object?> list => list.Count,
            TemplateText text => text.Text.Length,
            _ => throw at.Refusal($"takes a part of {Shown(value, at)}, which is no list"),
        };
        if (bounds.Any(b => b is not (null or long)) || bounds is [_, _, 0L])
            throw at.Refusal("takes a part whose bounds are no whole numbers");
        // A longer one goes behind the end, too, and the next place stays a number.
        var step = bounds.Count > 2 && bounds[2] is long by ? Math.Clamp(by, -int.MaxValue, int.MaxValue) : 1;
        long Bound(object? bound, long otherwise) => bound is not long place ? otherwise
            : Math.Clamp(place < 0 ? place + count : place, step > 0 ? 0 : -1, step > 0 ? count : count - 1);
        var (from, to) = (Bound(bounds[0], step > 0 ? 0 : count - 1), Bound(bounds[1], step > 0 ? count : -1));
        if (value is TemplateText whole && step == 1)
            return whole.Slice((int)from, (int)Math.Max(0, to - from));
        var items = new List<object?>();
        for (var i = from; step > 0 ? i < to : i > to; i += step)
            items.Add(Item(value, i));
        return value is TemplateText ? TemplateText.Concat([.. items.Cast<TemplateText>()]) : items;
    }

    private static int At(long at, int count) => (at < 0 ? at + count : at) is var place and >= 0 && place < count ? (int)place : -1;

    /// <summary>For messages.</summary>
    public static string Shown(object? value, TemplatePlace at) =>
        Foundation.OneLine.Of(value == TemplateValues.Undefined ? "nothing" : TemplateValues.Text(value, at).Text, 60);
}
