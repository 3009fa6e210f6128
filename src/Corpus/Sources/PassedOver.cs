namespace Elastic.Corpus;

/// <summary>What a folder holds and a corpus does not: said in one line, because nobody should have to guess it.</summary>
public sealed class PassedOver
{
    private const int EndingsNamed = 8;

    private readonly SortedDictionary<string, int> _endings = new(StringComparer.Ordinal);
    private int _linkedFolders;
    private int _withoutBytes;

    internal void Add(string path)
    {
        var ending = Path.GetExtension(path).ToLowerInvariant();
        ending = ending.Length > 0 ? ending : "without an ending";
        _endings[ending] = _endings.GetValueOrDefault(ending) + 1;
    }

    internal void AddLinkedFolder() => _linkedFolders++;

    internal void AddWithoutBytes() => _withoutBytes++;

    /// <summary>Whether there are any but those without bytes.</summary>
    internal bool HasFiles => _endings.Count > 0 || _linkedFolders > 0;

    /// <summary>The line; empty where nothing was passed over.</summary>
    public override string ToString()
    {
        var parts = _endings.OrderByDescending(e => e.Value).Take(EndingsNamed).Select(e => $"{e.Value} {e.Key}").ToList();
        if (_endings.Count > EndingsNamed)
            parts.Add($"{_endings.OrderByDescending(e => e.Value).Skip(EndingsNamed).Sum(e => e.Value)} of other endings");
        if (_linkedFolders > 0)
            parts.Add($"{Count(_linkedFolders, "linked folder")} (name what one leads to as a source of its own)");
        if (_withoutBytes > 0)
            parts.Add($"{Count(_withoutBytes, "file")} without bytes (empty, or a pipe or device)");
        return parts.Count == 0 ? "" : $"not read: {string.Join(", ", parts)}";
    }

    private static string Count(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";
}

/// <summary>The files of a corpus, and what their folders hold besides.</summary>
/// <param name="Files">In the order in which they are read.</param>
/// <param name="PassedOver">What is not read.</param>
public sealed record SourceSet(IReadOnlyList<SourceFile> Files, PassedOver PassedOver);
