using Elastic.Kernels;

namespace Elastic.Model.Generation;

/// <summary>How the next token is drawn.</summary>
/// <param name="Temperature">Divides the logits; 0 takes the likeliest token.</param>
/// <param name="TopK">Draws among this many likeliest tokens; 0 for all.</param>
/// <param name="TopP">Draws among the fewest likeliest tokens with this share of probability (Holtzman et al. 2020); 1 for all.</param>
/// <param name="Seed">The same seed gives the same text.</param>
public sealed record SamplingSettings(double Temperature = 1.0, int TopK = 0, double TopP = 1.0, ulong Seed = 42);

/// <summary>Continues a text, token by token. Of a text longer than the context, the model sees the newest tokens.</summary>
/// <param name="logits">Maps at most <paramref name="context"/> tokens to the next one's logits, e.g. <c>TrainingDevice.Logits</c>.</param>
public sealed class TextGenerator(Func<int[], float[]> logits, int context, SamplingSettings settings)
{
    /// <summary>Yields up to <paramref name="count"/> tokens after <paramref name="prompt"/>; ends before <paramref name="end"/>.</summary>
    public IEnumerable<int> Continue(IReadOnlyList<int> prompt, int count, int? end = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (prompt.Count == 0)
            throw new ArgumentException("the prompt is empty: give at least one token", nameof(prompt));
        var random = KeyedRandom.Of(settings.Seed, "sampling");
        var text = prompt.ToList();
        for (var i = 0; i < count; i++)
        {
            var next = Choose(logits([.. text.Skip(Math.Max(0, text.Count - context))]), random.Uniform((ulong)i), settings);
            if (next == end)
                yield break;
            text.Add(next);
            yield return next;
        }
    }

    /// <summary>
    /// The token at <paramref name="uniform"/>, 0 to 1, of the distribution that <paramref name="settings"/> leave of the logits.
    /// </summary>
    public static int Choose(ReadOnlySpan<float> logits, double uniform, SamplingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var score = logits.ToArray();
        var order = new int[score.Length];
        for (var i = 0; i < order.Length; i++)
            order[i] = i;
        // The likeliest first, equal ones by number: Array.Sort alone does not define their order.
        Array.Sort(order, (a, b) => score[b].CompareTo(score[a]) is var c and not 0 ? c : a.CompareTo(b));
        if (settings.Temperature <= 0)
            return order[0];
        var count = settings.TopK > 0 ? Math.Min(settings.TopK, order.Length) : order.Length;
        var weights = new double[count];
        var total = 0.0;
        for (var i = 0; i < count; i++)
            total += weights[i] = Math.Exp((score[order[i]] - score[order[0]]) / settings.Temperature);
        if (settings.TopP < 1)
        {
            var (kept, share) = (0, 0.0);
            while (kept < count && share < settings.TopP * total)
                share += weights[kept++];
            (count, total) = (Math.Max(1, kept), kept > 0 ? share : weights[0]);
        }
        var mark = uniform * total;
        for (var i = 0; i < count - 1; i++)
        {
            mark -= weights[i];
            if (mark < 0)
                return order[i];
        }
        return order[count - 1];
    }
}
