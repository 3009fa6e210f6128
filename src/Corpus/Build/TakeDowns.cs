using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>Documents that a manifest takes down: they are left out as if they had never been in the sources.</summary>
public sealed class TakeDowns
{
    private const int MostEntries = 10_000_000;

    private const string DocumentLine = "take down document ", UrlLine = "take down url ", LicenceLine = "take down licence ";

    private readonly HashSet<string> _documents, _urls, _licences;

    private TakeDowns(IEnumerable<string> documents, IEnumerable<string> urls, IEnumerable<string> licences) =>
        (_documents, _urls, _licences) = (
            new HashSet<string>(documents, StringComparer.Ordinal), new HashSet<string>(urls, StringComparer.Ordinal),
            new HashSet<string>(licences, StringComparer.Ordinal));

    /// <summary>None.</summary>
    public static TakeDowns None { get; } = new([], [], []);

    /// <summary>Nothing is taken down.</summary>
    public bool IsEmpty => _documents.Count + _urls.Count + _licences.Count == 0;

    /// <summary>Something is taken down by its address.</summary>
    public bool HasUrls => _urls.Count > 0;

    /// <summary>What decides: a line each, in an order of their own. None where nothing is taken down.</summary>
    public IEnumerable<string> Identity =>
    [
        .. _documents.Order(StringComparer.Ordinal).Select(d => DocumentLine + d),
        .. _urls.Order(StringComparer.Ordinal).Select(u => UrlLine + u),
        .. _licences.Order(StringComparer.Ordinal).Select(l => LicenceLine + l),
    ];

    /// <summary>Takes the block of a manifest, and the lines of the file that it names.</summary>
    /// <exception cref="ElasticException">The file cannot be read, or a line of it is none of the three kinds.</exception>
    public static TakeDowns Of(TakeDownSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (documents, urls, licences) = (settings.Documents.ToList(), settings.Urls.ToList(), settings.Licences.ToList());
        foreach (var (number, line) in Lines(settings.File).Index())
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            var (kind, value) = space < 0 ? (line, "") : (line[..space], line[(space + 1)..].Trim());
            var list = kind switch { "document" => documents, "url" => urls, "licence" => licences, _ => null };
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (list is null || value.Length == 0)
                throw new ElasticException($"{settings.File}, line {number + 1}: write document, url or licence, and what is taken down "
                    + "behind it, e.g. url https://example.com/page");
            list.Add(value);
        }
        return new TakeDowns(documents, urls, licences);
    }

    /// <summary>What <see cref="Identity"/> was written from.</summary>
    /// <exception cref="FormatException">A line is none of its lines.</exception>
    internal static TakeDowns OfIdentity(IReadOnlyList<string> lines)
    {
        var known = new[] { DocumentLine, UrlLine, LicenceLine }
            .Select(kind => lines.Where(l => l.StartsWith(kind, StringComparison.Ordinal)).Select(l => l[kind.Length..]).ToList()).ToList();
        return known.Sum(k => k.Count) == lines.Count ? new TakeDowns(known[0], known[1], known[2])
            : throw new FormatException("a line takes nothing down");
    }

    /// <summary>True where the document is taken down: by its licence, its address, its name, or the name of its file.</summary>
    public bool Cover(DocumentFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        return Cover(facts.Source, facts.Name, facts.Url, facts.Licence);
    }

    /// <inheritdoc cref="Cover(DocumentFacts)"/>
    public bool Cover(string source, string name, string? url, string? licence) =>
        !IsEmpty && ((licence is not null && _licences.Contains(licence)) || (url is not null && _urls.Contains(url))
            || (_documents.Count > 0 && Names($"{source}/{name}").Any(_documents.Contains)));

    /// <summary>What nothing was taken down for: it is written otherwise than the sources have it, or is not in them any more.</summary>
    /// <param name="documents">Documents of the text that was built with the list.</param>
    public IReadOnlyList<string> Unmatched(IEnumerable<BuiltDocument> documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        var left = Identity.ToHashSet(StringComparer.Ordinal);
        foreach (var document in documents.TakeWhile(_ => left.Count > 0).Where(d => d.Dropped == BuiltDocument.TakenDown))
        {
            left.Remove($"{LicenceLine}{document.Licence}");
            left.Remove($"{UrlLine}{document.Url}");
            left.ExceptWith(Names($"{document.Source}/{document.Name}").Select(name => DocumentLine + name));
        }
        return [.. left.Order(StringComparer.Ordinal)];
    }

    // "books/a.jsonl:17" and "books/a.jsonl": names of documents are those of their files with a place behind ':' or '#'.
    private static IEnumerable<string> Names(string name)
    {
        yield return name;
        for (var i = name.Length - 1; i > 0; i--)
        {
            if (name[i] is ':' or '#')
                yield return name[..i];
        }
    }

    private static string[] Lines(string? path)
    {
        if (path is null)
            return [];
        try
        {
            var lines = File.ReadLines(path).Take(MostEntries + 1).Select(l => l.Trim()).ToArray();
            return lines.Length <= MostEntries ? lines
                : throw new ElasticException($"{path} has more than {MostEntries} lines: take whole files or licences down instead");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"the list of take-downs {path} cannot be read ({e.Message.TrimEnd('.')}): name another file", e);
        }
    }
}

/// <summary>Block <c>takedown</c> of a manifest.</summary>
public sealed record TakeDownSettings : SettingsGroup
{
    [Setting("takedown.documents", new string[0], """
        Documents by source and name, as "elastic corpus show" says them, e.g. notes/notes.jsonl:17; without what stands behind the ":"
        or "#" all documents of the file.
        """)]
    public required IReadOnlyList<string> Documents { get; init; }

    [Setting("takedown.urls", new string[0], "Documents by the address at which they were published.")]
    public required IReadOnlyList<string> Urls { get; init; }

    [Setting("takedown.licences", new string[0], "All documents of these licences, as sources or records name them.")]
    public required IReadOnlyList<string> Licences { get; init; }

    [Setting("takedown.file", null, """
        A file with more of them, a line each: document NAME, url ADDRESS or licence NAME. Lines that begin with # are passed over.
        """, IsPath = true)]
    public required string? File { get; init; }
}
