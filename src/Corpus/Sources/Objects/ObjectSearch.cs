using System.Text;
using Elastic.Corpus.Build;
using Elastic.ObjectStore;

namespace Elastic.Corpus;

/// <summary>
/// Chooses the objects that are to be files of a source, by the same rules by which <see cref="FolderSearch"/> finds files: what this
/// leaves out is never fetched.
/// </summary>
internal sealed class ObjectSearch(SourceSettings source)
{
    // What file systems take.
    private const int LongestName = 255;

    private readonly NamePatterns _include = new(source.Include), _exclude = new(source.Exclude);
    private readonly SortedDictionary<string, StoredObject> _found = new(StringComparer.Ordinal);
    private readonly HashSet<string> _folders = new(StringComparer.Ordinal);
    private readonly PassedOver _passedOver = new();
    private readonly List<string> _unusable = [];

    /// <summary>Objects by the names that their files get.</summary>
    public IReadOnlyDictionary<string, StoredObject> Found => _found;

    /// <summary>Names that no file can have.</summary>
    public IReadOnlyList<string> Unusable => _unusable;

    /// <summary>What holds no text.</summary>
    public PassedOver PassedOver => _passedOver;

    /// <param name="name">Its key behind the source's prefix.</param>
    public void Add(string name, StoredObject found)
    {
        // A folder, as some programs mark them.
        if (name.EndsWith('/') || name.Length == 0)
            return;
        var parts = name.Split('/');
        if (parts.Any(p => p.Length == 0 || p is "." or ".." || p.Contains('\0', StringComparison.Ordinal)
            || p.Contains('\\', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(p) > LongestName))
        {
            _unusable.Add(name);
            return;
        }
        // Hidden, as in folders.
        if (parts.Any(p => p[0] == '.') || Folders(parts).Append(name).Any(_exclude.Matches))
            return;
        var isWanted = _include.IsEmpty || _include.Matches(name);
        if (DocumentFormats.Of(name) is null && isWanted && !LicenceText.IsName(parts[^1]))
            _passedOver.Add(name);
        else if (isWanted || LicenceText.IsName(parts[^1]))
            Take(name, parts, found);
    }

    // A store may have both "a" and "a/b".
    private void Take(string name, string[] parts, StoredObject found)
    {
        var folders = Folders(parts).ToList();
        if (_folders.Contains(name) || folders.Exists(_found.ContainsKey))
        {
            _unusable.Add(name);
            return;
        }
        _folders.UnionWith(folders);
        _found[name] = found;
    }

    private static IEnumerable<string> Folders(string[] parts) =>
        Enumerable.Range(1, parts.Length - 1).Select(count => string.Join('/', parts[..count]));
}
