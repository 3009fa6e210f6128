using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// What a source must not give: a line each of files that people keep for that. A line is a domain (with all below it), the beginning of a
/// URL ("https://example.org/drafts/"), or "path PATTERN", as in <c>exclude</c>; '#' begins a comment.
/// </summary>
public sealed class BlockList
{
    private const int MostBytes = 256 << 20;
    private const string PathWord = "path ";

    private readonly HashSet<string> _domains = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _urls = [];
    private readonly List<string> _paths = [];

    private BlockList(Digest digest) => Digest = digest;

    /// <summary>Digest of the lists' bytes, in their order.</summary>
    public Digest Digest { get; }

    /// <summary>It goes by URLs, and not by paths alone.</summary>
    public bool HasUrls => _domains.Count + _urls.Count > 0;

    /// <summary>Patterns of files and of members of archives.</summary>
    public IReadOnlyList<string> Paths => _paths;

    /// <summary>Reads lists; null for none.</summary>
    /// <exception cref="ElasticException">One cannot be read, or is too large.</exception>
    public static BlockList? Read(IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return Of([.. TextsOf(files)]);
    }

    /// <summary>The texts of lists, in their order.</summary>
    /// <exception cref="ElasticException">One cannot be read, or is too large.</exception>
    internal static IEnumerable<string> TextsOf(IReadOnlyList<string> files) => files.Select(TextOf);

    /// <summary>What the texts of lists say; null for none.</summary>
    internal static BlockList? Of(IReadOnlyList<string> texts)
    {
        if (texts.Count == 0)
            return null;
        var list = new BlockList(CorpusIdentity.OfTexts(texts));
        foreach (var line in texts.SelectMany(text => text.Split('\n')).Select(l => l.Split('#')[0].Trim()).Where(l => l.Length > 0))
            if (line.StartsWith(PathWord, StringComparison.Ordinal))
                list._paths.Add(line[PathWord.Length..].Trim());
            else if (line.Contains("://", StringComparison.Ordinal))
                list._urls.Add(line);
            else
                list._domains.Add(line.TrimStart('.'));
        // Sorted, so that the one that may begin a URL is found among the few that sort just before it.
        list._urls.Sort(StringComparer.Ordinal);
        return list;
    }

    /// <summary>Whether a document from there is not wanted.</summary>
    public bool Blocks(string? url)
    {
        if (url is null)
            return false;
        if (_domains.Count > 0 && Uri.TryCreate(url, UriKind.Absolute, out var address))
            for (var host = address.Host; host.Length > 0; host = host[(host.IndexOf('.', StringComparison.Ordinal) + 1)..])
            {
                if (_domains.Contains(host))
                    return true;
                if (!host.Contains('.', StringComparison.Ordinal))
                    break;
            }
        return _urls.Count > 0 && BeginsBlocked(url);
    }

    private bool BeginsBlocked(string url)
    {
        for (var length = url.Length; length > 0;)
        {
            var at = _urls.BinarySearch(url[..length], StringComparer.Ordinal);
            if (at >= 0)
                return true;
            // The greatest that sorts before: what begins this URL is no longer than what it has in common with that one.
            if (~at == 0)
                return false;
            var before = _urls[~at - 1];
            var common = url.AsSpan(0, length).CommonPrefixLength(before);
            if (common == before.Length)
                return true;
            length = Math.Min(common, length - 1);
        }
        return false;
    }

    private static string TextOf(string path)
    {
        try
        {
            var file = new FileInfo(path);
            return file.Length <= MostBytes ? File.ReadAllText(path, Encoding.UTF8)
                : throw new ElasticException($"the block list {path} has {file.Length} bytes, and at most {MostBytes} are read: split it");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"the block list {path} cannot be read ({e.Message}): name another one with block-lists", e);
        }
    }
}
