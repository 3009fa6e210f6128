namespace Elastic.Corpus.Build;

/// <summary>A document of the datasheet.</summary>
/// <param name="Excerpt">The beginning of its text, in one line.</param>
internal sealed record Example(BuiltDocument Document, string Excerpt);

/// <summary>
/// Chooses a document of each source that was kept, and one that each stage dropped: those whose text has the smallest hash, so that they
/// are neither the first ones nor others each time. Not thread-safe.
/// </summary>
internal sealed class Examples
{
    private const int ExcerptCharacters = 240;

    // More sources than anybody reads examples of.
    private const int Most = 100;

    private readonly SortedDictionary<(bool IsDropped, string Name), (double Lot, Example Example)> _chosen = [];

    /// <summary>First what was kept, by source, then what was dropped, by stage.</summary>
    public IReadOnlyList<Example> Chosen => [.. _chosen.Values.Select(c => c.Example)];

    /// <param name="lot">See <see cref="PieceDocument.Lot"/>.</param>
    public void Add(BuiltDocument document, string text, double lot)
    {
        var key = (document.Dropped is not null, document.Dropped ?? document.Source);
        if (text.Length == 0 || (_chosen.TryGetValue(key, out var so) ? lot >= so.Lot : _chosen.Count >= Most))
            return;
        _chosen[key] = (lot, new Example(document, Excerpt(text)));
    }

    /// <summary>The beginning of a text, in one line.</summary>
    internal static string Excerpt(string text, int characters = ExcerptCharacters)
    {
        var end = Math.Min(text.Length, characters);
        if (end < text.Length && char.IsHighSurrogate(text[end - 1]))
            end--;
        var line = string.Join(' ', text[..end].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return end < text.Length ? line + " …" : line;
    }
}
