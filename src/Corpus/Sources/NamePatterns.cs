using System.IO.Enumeration;

namespace Elastic.Corpus;

/// <summary>
/// Patterns of names in a folder: <c>*</c> stands for any characters, <c>?</c> for one. A pattern with a '/' is compared with the whole
/// name inside the source ("drafts/*"), any other one with the last part of it ("*.bin", "drafts").
/// </summary>
internal sealed class NamePatterns(IReadOnlyList<string> patterns)
{
    public bool IsEmpty => patterns.Count == 0;

    public bool Matches(string name) => patterns.Any(pattern => Matches(pattern, name));

    /// <summary>
    /// Whether one of those that match names the ending, too: "*.csv" asks for tables, "tables/*" only for what was always read.
    /// </summary>
    public bool AskFor(string name) => patterns.Any(
        pattern => Matches(pattern, name) && pattern.EndsWith(Path.GetExtension(name), StringComparison.OrdinalIgnoreCase));

    private static bool Matches(string pattern, string name)
    {
        var trimmed = pattern.TrimEnd('/');
        var compared = trimmed.Contains('/', StringComparison.Ordinal) ? name : name[(name.LastIndexOf('/') + 1)..];
        return FileSystemName.MatchesSimpleExpression(trimmed, compared, ignoreCase: false);
    }
}
