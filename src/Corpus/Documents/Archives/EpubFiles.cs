using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using System.Text.Unicode;
using System.Xml;
using System.Xml.Linq;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads .epub (EPUB 3.3, W3C 2023): the pages of a book in the order of its spine, a document each, with the language and the terms that
/// the book names.
/// </summary>
internal static partial class EpubFiles
{
    private const string Container = "META-INF/container.xml";
    private const int MostPages = 100_000;

    // Book descriptions are small, and an entity can only be a trap.
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Ignore,
        XmlResolver = null,
        MaxCharactersInDocument = ReadLimits.PageBytes,
    };

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var zip = ZipFiles.Open(file);
        var expansion = Expansion.Of(file);
        var (pages, language, licence) = Book(file, zip, expansion);
        foreach (var (number, path) in pages.Index())
        {
            if (TryTake(file, zip, path, expansion, statistics) is not { } page)
                continue;
            foreach (var document in Members.Read(
                file, $"{file.Name}:{number + 1}", DocumentFormat.Html, Page(page), file.LeftOutBy, statistics))
                yield return document with { Format = DocumentFormat.Epub, Language = language, Licence = licence };
        }
    }

    // Pages in their order, the language as a code of ISO 639-1 and the terms; null for what is not said.
    private static (IReadOnlyList<string> Pages, string? Language, string? Licence) Book(
        SourceFile file, ZipArchive zip, Expansion expansion)
    {
        try
        {
            var opf = Xml(zip, file, Container, expansion).Descendants().FirstOrDefault(e => e.Name.LocalName == "rootfile")
                ?.Attribute("full-path")?.Value ?? throw new InvalidDataException($"{Container} names no package");
            var package = Xml(zip, file, opf, expansion);
            var folder = opf[..(opf.LastIndexOf('/') + 1)];
            var items = package.Descendants().Where(e => e.Name.LocalName == "item" && e.Attribute("id") is not null)
                .DistinctBy(e => e.Attribute("id")!.Value).ToDictionary(e => e.Attribute("id")!.Value, StringComparer.Ordinal);
            var pages = package.Descendants().Where(e => e.Name.LocalName == "itemref")
                .Select(e => items.GetValueOrDefault(e.Attribute("idref")?.Value ?? ""))
                .Where(e => e?.Attribute("media-type")?.Value is "application/xhtml+xml" or "text/html")
                .Select(e => Resolve(folder, e!.Attribute("href")?.Value ?? "")).Take(MostPages).ToList();
            return (pages, Language(Said("language")), Said("rights") is { } rights ? OneLine.Of(rights, 200) : null);

            string? Said(string name) =>
                package.Descendants().FirstOrDefault(e => e.Name.LocalName == name)?.Value.Trim() is { Length: > 0 } said ? said : null;
        }
        catch (Exception e) when (e is XmlException or InvalidDataException)
        {
            throw new RejectedFileException(
                $"{file.Shown} is no book that can be read ({OneLine.Of(e.Message)}): repair it or leave it out", e);
        }
    }

    private static XDocument Xml(ZipArchive zip, SourceFile file, string path, Expansion expansion)
    {
        var entry = zip.GetEntry(path) ?? throw new InvalidDataException($"{path} is missing");
        using var bytes = ZipFiles.Bytes(entry, file, expansion);
        using var xml = XmlReader.Create(bytes, Settings);
        return XDocument.Load(xml);
    }

    private static byte[]? TryTake(SourceFile file, ZipArchive zip, string path, Expansion expansion, ReadStatistics statistics)
    {
        var entry = zip.GetEntry(path);
        try
        {
            using var bytes = ZipFiles.Bytes(entry ?? throw new InvalidDataException("it is missing"), file, expansion);
            using var page = new MemoryStream();
            var buffer = new byte[1 << 15];
            while (bytes.Read(buffer) is var count and > 0)
            {
                page.Write(buffer.AsSpan(0, count));
                if (page.Length > ReadLimits.PageBytes)
                    throw new InvalidDataException($"it has more than {ReadLimits.PageBytes} bytes");
            }
            return page.ToArray();
        }
        catch (InvalidDataException e)
        {
            statistics.CountMalformed(
                file, 0, $"the page {OneLine.Of(path, 200)} is left out: {e.Message}", Members.Lost(file, entry?.Length ?? 0));
            return null;
        }
    }

    // "en-GB" is English.
    private static string? Language(string? said) =>
        said is { Length: >= 2 } && (said.Length == 2 || said[2] == '-') && char.IsAsciiLetter(said[0]) && char.IsAsciiLetter(said[1])
            ? said[..2].ToLowerInvariant() : null;

    private static string Resolve(string folder, string href)
    {
        var parts = new List<string>();
        foreach (var part in (folder + Uri.UnescapeDataString(href.Split('#')[0])).Split('/'))
            if (part == ".." && parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or "." or ".."))
                parts.Add(part);
        return string.Join('/', parts);
    }

    // A page is XML, where <title/> is whole; HTML takes all behind it for the title. UTF-8 where nothing else is said.
    private static byte[] Page(byte[] page)
    {
        if (!Utf8.IsValid(page))
            return page;
        var text = SelfClosed().Replace(Encoding.UTF8.GetString(page).TrimStart('\uFEFF'), "<${tag}></${name}>");
        return Encoding.UTF8.GetBytes('\uFEFF' + text);
    }

    [GeneratedRegex("<(?<tag>(?<name>title|script|style|textarea|iframe|noscript|noembed|noframes|xmp)(\\s[^<>]*)?)/>",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SelfClosed();
}
