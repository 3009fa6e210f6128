using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A part of a tokenizer file, which knows where it is, so that what is wrong with it can be said.</summary>
/// <param name="Path">From the root, e.g. "pre_tokenizer.pretokenizers[0]".</param>
/// <param name="File">For messages.</param>
internal readonly record struct JsonPart(JsonElement Element, string Path, string File)
{
    /// <summary>The property of that name; null where it is missing or null.</summary>
    public JsonPart? Find(string name) =>
        Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonPart(value, Path.Length == 0 ? name : $"{Path}.{name}", File) : null;

    /// <summary>The property of that name, which must be there.</summary>
    public JsonPart Need(string name) => Find(name) ?? throw Wrong($"has no \"{name}\"");

    public string Text(string name) => Need(name).AsText();

    public string? FindText(string name) => Find(name)?.AsText();

    public bool Flag(string name, bool otherwise) => Find(name) is not { } part ? otherwise : part.Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw part.Wrong("is neither true nor false"),
    };

    public int Number(string name, int least, int most) => Need(name).AsNumber(least, most);

    public string AsText()
    {
        if (Element.ValueKind != JsonValueKind.String)
            throw Wrong("is no text");
        // A lone surrogate in an escape is no text either.
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong("is no text: it has half of a character");
        }
    }

    public int AsNumber(int least, int most) =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var number) && number >= least && number <= most
            ? number : throw Wrong($"is no whole number from {least} to {most}");

    public double AsReal() => Element.ValueKind == JsonValueKind.Number && Element.TryGetDouble(out var number) && double.IsFinite(number)
        ? number : throw Wrong("is no number");

    public IEnumerable<JsonPart> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
            throw Wrong("is no list");
        var (path, file) = (Path, File);
        return Element.EnumerateArray().Select((item, i) => new JsonPart(item, $"{path}[{i}]", file));
    }

    /// <summary>Names and values of an object, also those that are there twice.</summary>
    public IEnumerable<(string Name, JsonPart Value)> Properties()
    {
        if (Element.ValueKind != JsonValueKind.Object)
            throw Wrong("is no object");
        foreach (var property in Element.EnumerateObject())
        {
            string name;
            try
            {
                name = property.Name;
            }
            catch (InvalidOperationException)
            {
                throw Wrong("has a name with half of a character");
            }
            yield return (name, new JsonPart(property.Value, $"{Path}.{OneLine.Of(name, 40)}", File));
        }
    }

    /// <summary>Makes what the property "type" names, of those that are known.</summary>
    public T Make<T>(IReadOnlyDictionary<string, Func<JsonPart, T>> known)
    {
        var type = Text("type");
        if (!known.TryGetValue(type, out var make))
            throw Wrong(
                $"is a {OneLine.Of(type, 60)}, which is not known: known are "
                + string.Join(", ", known.Keys.Order(StringComparer.Ordinal)));
        try
        {
            return make(this);
        }
        catch (ElasticException e) when (!e.Message.StartsWith(File, StringComparison.Ordinal))
        {
            throw Wrong($"({type}): {e.Message}");
        }
    }

    public ElasticException Wrong(string why) => new($"{File}: {(Path.Length == 0 ? "it" : Path)} {why}");
}
