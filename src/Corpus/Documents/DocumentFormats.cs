namespace Elastic.Corpus;

/// <summary>A format of documents: by which names it is known, and what reads it.</summary>
/// <param name="Format">Which it is.</param>
/// <param name="Names">Endings of names, with the dot.</param>
/// <param name="Read">Reads the documents of a file, one after the other.</param>
internal sealed record FormatKind(
    DocumentFormat Format, IReadOnlyList<string> Names, Func<SourceFile, ReadStatistics, IEnumerable<Document>> Read)
{
    /// <summary>It is read from front to back; compressed files of any other one are unpacked first.</summary>
    public bool IsStreamed { get; init; }

    /// <summary>Its bytes are text in some encoding.</summary>
    public bool IsText { get; init; }

    /// <summary>It holds files of other formats.</summary>
    public bool HasMembers { get; init; }

    /// <summary>It is read as settings of a whole corpus say, and so never as a member of an archive.</summary>
    public bool IsForSettings { get; init; }

    /// <summary>Documents are of it, and not of the formats of its members: scopes may name it.</summary>
    public bool IsOfDocuments => !IsForSettings && Format is not (DocumentFormat.Warc or DocumentFormat.Tar or DocumentFormat.Zip);

    /// <summary>
    /// Endings that are also read in a folder of <c>corpus.sources</c>, where nobody asked for them; compressed ones are named with both.
    /// </summary>
    public IReadOnlyList<string> FolderNames { get; init; } = [];

    /// <summary>Whether a folder that nobody said more about gives such a file.</summary>
    public bool IsFoundInFolders(string path) => FolderNames.Any(e => path.EndsWith(e, StringComparison.OrdinalIgnoreCase));

    /// <summary>The documents of a file, which is unpacked where it must be.</summary>
    public IEnumerable<Document> Documents(SourceFile file, ReadStatistics statistics) =>
        file.Packing == Packing.None || IsStreamed ? Read(file, statistics) : PackedFile.Unpacked(file, statistics, Read);
}

/// <summary>The formats. A new one is a file with its reader, its name in <see cref="DocumentFormat"/>, and a line here.</summary>
internal static class DocumentFormats
{
    /// <summary>In the order in which people read them.</summary>
    public static IReadOnlyList<FormatKind> All { get; } =
    [
        new(DocumentFormat.Text, [".txt", ".md", ".markdown"], PlainText.Read)
        {
            IsStreamed = true,
            IsText = true,
            FolderNames = [".txt", ".md"],
        },
        new(DocumentFormat.Xml, [".xml"], XmlFiles.Read) { IsStreamed = true, IsText = true, FolderNames = [".xml"] },
        new(DocumentFormat.Html, [".html", ".htm"], HtmlFiles.Read) { IsText = true, FolderNames = [".html", ".htm"] },
        new(DocumentFormat.JsonLines, [".jsonl", JsonLines.OtherEnding], JsonLines.Read)
        {
            IsStreamed = true,
            IsText = true,
            FolderNames = [".jsonl", ".jsonl.gz", ".jsonl.zst"],
        },
        new(DocumentFormat.TabSeparated, [".tsv"], TabSeparated.Read)
        {
            IsStreamed = true,
            IsText = true,
            IsForSettings = true,
            FolderNames = [".tsv"],
        },
        new(DocumentFormat.Parquet, [".parquet"], ParquetFiles.Read) { FolderNames = [".parquet"] },
        new(DocumentFormat.LlmcShard, [".bin"], LlmcCorpus.Refuse) { IsForSettings = true, FolderNames = [".bin"] },
        new(DocumentFormat.Warc, [".warc", ".warc.wet"], WarcFiles.Read) { IsStreamed = true, HasMembers = true },
        new(DocumentFormat.Tar, [".tar"], TarFiles.Read) { IsStreamed = true, HasMembers = true },
        new(DocumentFormat.Zip, [".zip"], ZipFiles.Read) { HasMembers = true },
        new(DocumentFormat.Epub, [".epub"], EpubFiles.Read) { HasMembers = true },
        new(DocumentFormat.Csv, [".csv"], CsvFiles.Read) { IsStreamed = true, IsText = true },
        new(DocumentFormat.Arrow, [".arrow"], ArrowFiles.Read),
        new(DocumentFormat.SourceCode, SourceCode.Endings, SourceCode.Read) { IsStreamed = true, IsText = true },
    ];

    /// <summary>All endings, for a message.</summary>
    public static string Endings =>
        $"{string.Join(' ', All.Where(kind => kind.Format != DocumentFormat.SourceCode).SelectMany(kind => kind.Names))}, source code, "
        + $"also with {string.Join(' ', Packings.All.Select(p => p.Ending))}";

    /// <summary>The endings of <see cref="FormatKind.FolderNames"/>, for a message.</summary>
    public static string EndingsOfFolders => string.Join(' ', All.SelectMany(kind => kind.FolderNames));

    /// <summary>The kind of a format.</summary>
    public static FormatKind Of(DocumentFormat format) => All.First(kind => kind.Format == format);

    /// <summary>The format by the file's name, and how it is packed; null for one that is not supported.</summary>
    public static (FormatKind Kind, Packing Packing)? Of(string path)
    {
        var (inner, packing) = Packings.Of(path);
        var kind = All.FirstOrDefault(k => k.Names.Any(e => inner.EndsWith(e, StringComparison.OrdinalIgnoreCase)));
        // Shards of tokens are read in place.
        return kind is null || (kind.Format == DocumentFormat.LlmcShard && packing != Packing.None) ? null : (kind, packing);
    }
}
