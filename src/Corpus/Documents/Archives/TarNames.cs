using System.Formats.Tar;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// The names of a tar's members, and where its links lead: a link to a member of the archive is named alone, because the member is read.
/// </summary>
/// <param name="most">Names that are compared, and links that are followed.</param>
internal sealed class TarNames(SourceFile file, ReadStatistics statistics, int most = TarNames.Most)
{
    /// <summary>
    /// Some twenty bytes for each of the names, and 24 for each of the links: a small archive may hold any number of them. Members behind
    /// these are read, and links behind them count as not read.
    /// </summary>
    public const int Most = 1 << 20;

    // As many as Linux follows.
    private const int LongestChain = 40;

    private readonly HashSet<ulong> _names = [];
    private readonly List<(ulong Name, ulong? Target)> _links = [];
    private readonly List<string> _shown = [];
    private long _more;

    /// <summary>Adds a member that is read, and counts one whose name is there already.</summary>
    public void Add(string path)
    {
        var name = HashOf(path);
        if (_names.Count < most ? !_names.Add(name) : _names.Contains(name))
            statistics.CountNamed(file, $"{OneLine.Of(path, 200)} is there more than once; each is read");
    }

    /// <summary>Adds what holds nothing that can be read, and may be linked to: a folder, an empty file.</summary>
    public void AddEmpty(string path)
    {
        if (_names.Count < most)
            _names.Add(HashOf(path));
    }

    /// <summary>Adds a link, which may lie before what it leads to.</summary>
    public void AddLink(TarEntry entry)
    {
        if (_links.Count == most)
        {
            _more++;
            return;
        }
        _links.Add((HashOf(entry.Name), TargetOf(entry)));
        if (_shown.Count < ReadStatistics.MalformedKept)
            _shown.Add(OneLine.Of(entry.Name, 200));
    }

    /// <summary>Counts the links, when all members are known.</summary>
    public void CountLinks()
    {
        var isRead = new bool[_links.Count];
        var found = true;
        for (var length = 0; found && length < LongestChain; length++)
        {
            found = false;
            for (var i = 0; i < isRead.Length; i++)
                if (!isRead[i] && _links[i].Target is { } target && _names.Contains(target))
                    (isRead[i], found) = (true, true);
            // Links to these are found next.
            for (var i = 0; i < isRead.Length; i++)
                if (isRead[i])
                    _names.Add(_links[i].Name);
        }
        for (var i = 0; i < isRead.Length; i++)
        {
            var reason = i < _shown.Count ? $"{_shown[i]} is a link" : "another link";
            if (isRead[i])
                statistics.CountNamed(file, reason);
            else
                statistics.CountUnread(file, reason);
        }
        for (; _more > 0; _more--)
            statistics.CountUnread(file, "another link");
    }

    private static ulong HashOf(string path) => MemberNames.HashOf(string.Join('/', PartsOf(Members.NameOf(path))));

    // Where a link leads to: from its own folder where it is symbolic, from that of the archive otherwise. Null where that is no member.
    private static ulong? TargetOf(TarEntry entry)
    {
        var isSymbolic = entry.EntryType == TarEntryType.SymbolicLink;
        var parts = PartsOf(isSymbolic ? $"{Members.NameOf(entry.Name)}/../{entry.LinkName}" : Members.NameOf(entry.LinkName));
        // What begins with a dot is not read.
        return isSymbolic && entry.LinkName.StartsWith('/') || parts.Exists(p => p.StartsWith('.')) ? null
            : MemberNames.HashOf(string.Join('/', parts));
    }

    private static List<string> PartsOf(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/'))
            if (part == ".." && parts is [.., not ".."])
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or "."))
                parts.Add(part);
        return parts;
    }
}
