using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>What becomes of what cannot be read.</summary>
public enum RejectPolicy
{
    /// <summary>It is counted and named, and the build goes on.</summary>
    Continue,

    /// <summary>The build ends.</summary>
    Stop,
}

/// <summary>What a source's documents are for.</summary>
public enum SourceSplit
{
    /// <summary>Training, less what <c>corpus.held-out</c> takes.</summary>
    Train,

    /// <summary>Evaluation while a model is trained: they are held out as a whole.</summary>
    Validation,

    /// <summary>Evaluation afterwards: no corpus is made of them.</summary>
    Test,
}

/// <summary>A source in the manifest of a build: files of one origin.</summary>
public sealed record SourceSettings : SettingsGroup
{
    [Setting("source.name", "", "What the source is called in reports, in metadata and in scopes. Each has a name of its own.")]
    [NotEmpty("give each source a name of its own, e.g. name = books")]
    public required string Name { get; init; }

    [Setting("source.paths", new string[0], """
        Files and folders, as in corpus.sources; relative ones are the manifest's. Also files of the web, http or https, which are fetched
        once; #sha256=DIGEST behind a URL takes no other file.
        """)]
    public required IReadOnlyList<string> Paths { get; init; }

    [Setting("source.mirrors", new string[0], "Folders on the web, as URLs, that hold the files of source.paths, too.")]
    public required IReadOnlyList<string> Mirrors { get; init; }

    [Setting("source.largest-download", 256, "GiB of the largest file that is fetched from the web.")]
    [Between(1, 1 << 20)]
    public required int LargestDownloadGiB { get; init; }

    [Setting("source.include", new string[0], "Patterns of the files to read, as in corpus.include; empty for all that can be read.")]
    public required IReadOnlyList<string> Include { get; init; }

    [Setting("source.exclude", new string[0], "Patterns of the files and folders to leave out, as in corpus.exclude.")]
    public required IReadOnlyList<string> Exclude { get; init; }

    [Setting("source.block-lists", new string[0], """
        Files with a line each for what is not wanted: a domain, the beginning of a URL, or "path PATTERN" as in source.exclude.
        """)]
    public required IReadOnlyList<string> BlockLists { get; init; }

    [Setting("source.members", new string[0], """
        Patterns of the members of archives (tar, zip) to read; empty for all that can be read. source.exclude holds for them, too.
        """)]
    public required IReadOnlyList<string> Members { get; init; }

    [Setting("source.on-reject", RejectPolicy.Continue, """
        What becomes of a file, member or record that cannot be read: continue leaves it out, counts it and names it in rejects.txt; stop
        ends the build with its name.
        """)]
    public required RejectPolicy OnReject { get; init; }

    [Setting("source.longest-record", ReadLimits.LineBytes >> 20, """
        MiB of a line of jsonl or tsv, or of a row of csv; a longer one is left out. Such a record is in memory several times over.
        """)]
    [Between(1, 512)]
    public required int LongestRecordMiB { get; init; }

    [Setting("source.text-field", "text", "The field or column with the text, as in corpus.text-field.")]
    [NotEmpty("name the field that holds the text, e.g. text")]
    public required string TextField { get; init; }

    [Setting("source.encoding", "utf-8", "The encoding of plain text and jsonl, as in corpus.encoding.")]
    public required string Encoding { get; init; }

    [Setting("source.split", SourceSplit.Train, """
        train; or validation, which is held out as a whole (nothing else is, then); or test, which is built and kept beside the corpus.
        """)]
    public required SourceSplit Split { get; init; }

    [Setting("source.subsets", false, """
        Counts documents by the name that their file gives besides the source's: meta.pile_set_name as in The Pile, or the field or column
        source. Losses are then shown by subset; for sources of a few subsets only.
        """)]
    public required bool Subsets { get; init; }

    [Setting("source.licence", null, "The terms under which it is published, e.g. CC-BY-SA-4.0; kept with each document.")]
    public required string? Licence { get; init; }

    [Setting("source.language", null, "The language of all its documents, a code of ISO 639-1, where it has only one.")]
    [Matches("[a-z]{2}", "a code of two letters, e.g. en")]
    public required string? Language { get; init; }

    /// <summary>The settings by which its files are found and read.</summary>
    /// <param name="blocks">What its lists say; null for nothing.</param>
    public CorpusSettings Reading(BlockList? blocks = null) => CorpusSettings.Defaults with
    {
        Sources = Paths,
        Include = Include,
        Exclude = [.. Exclude, .. blocks?.Paths ?? []],
        TextField = TextField,
        Encoding = Encoding,
    };

    /// <summary>What a build adds to how its files are read.</summary>
    internal Reading Of(Reading reading, BlockList? blocks) => reading with
    {
        Members = Members,
        Blocks = blocks,
        PassesOverRejects = OnReject == RejectPolicy.Continue,
        LongestRecord = LongestRecordMiB << 20,
    };

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether() =>
        Paths.Count == 0 ? [$"the source {Name} has no paths: name files or folders, e.g. paths = [books]"]
        : Reading().Problems()
            .Concat(Paths.Where(SourceUrl.Is).Select(path => SourceUrl.Parse(path, out var problem) is null ? problem : ""))
            .Concat(Mirrors.Select(m => Uri.TryCreate(m, UriKind.Absolute, out var url) && url.Scheme is ("http" or "https") ? ""
                : $"the mirror {Foundation.OneLine.Of(m, 200)} of {Name} is no URL of http or https"))
            .Where(problem => problem.Length > 0);
}
