using System.Globalization;
using Elastic.Messages.Settings;
using Elastic.ObjectStore;

namespace Elastic.Corpus.Build;

/// <summary>What becomes of what cannot be read.</summary>
public enum RejectPolicy
{
    /// <summary>It is counted and named, and the build goes on.</summary>
    Continue,

    /// <summary>The build ends.</summary>
    Stop,
}

/// <summary>What of an HTML page is its text.</summary>
public enum HtmlText
{
    /// <summary>All that a person sees.</summary>
    Page,

    /// <summary>The title and the main text.</summary>
    Main,
}

/// <summary>A source in the manifest of a build: files of one origin.</summary>
public sealed record SourceSettings : SettingsGroup
{
    // .NET writes no text of more than 166 million characters as JSON, which is what a built text is.
    private const int MostOfRecordMiB = 128;

    [Setting("source.name", "", "What the source is called in reports, in metadata and in scopes. Each has a name of its own.")]
    [NotEmpty("give each source a name of its own, e.g. name = books")]
    public required string Name { get; init; }

    [Setting("source.paths", new string[0], """
        Files and folders, as in corpus.sources; relative ones are the manifest's. Also files of the web, http or https, which are fetched
        once; #sha256=DIGEST behind a URL takes no other file. Also objects of an S3-compatible store: s3://BUCKET/KEY, a prefix, or a
        pattern with *. Where the cluster builds also files of a node, NODE:/PATH, below its node.corpus-roots.
        """, IsPath = true)]
    public required IReadOnlyList<string> Paths { get; init; }

    [Setting("source.mirrors", new string[0], "Folders on the web, as URLs, that hold the files of source.paths, too.")]
    public required IReadOnlyList<string> Mirrors { get; init; }

    [Setting("source.largest-download", 256, "GiB of the largest file that is fetched from the web or a store.")]
    [Between(1, 1 << 20)]
    public required int LargestDownloadGiB { get; init; }

    [Setting("source.include", new string[0], "Patterns of the files to read, as in corpus.include; empty for all that can be read.")]
    public required IReadOnlyList<string> Include { get; init; }

    [Setting("source.exclude", new string[0], "Patterns of the files and folders to leave out, as in corpus.exclude.")]
    public required IReadOnlyList<string> Exclude { get; init; }

    [Setting("source.block-lists", new string[0], """
        Files with a line each for what is not wanted: a domain, the beginning of a URL, or "path PATTERN" as in source.exclude.
        """, IsPath = true)]
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
    [Between(1, MostOfRecordMiB)]
    public required int LongestRecordMiB { get; init; }

    [Setting("source.text-field", "text", "The field or column with the text, as in corpus.text-field.")]
    [NotEmpty("name the field that holds the text, e.g. text")]
    public required string TextField { get; init; }

    [Setting("source.url-field", RecordFields.UsualUrl, """
        The field or column with the address of a record: block lists, takedown.urls and the stage url-duplicates go by it. A '.' leads into
        a field of jsonl: metadata.url.
        """)]
    [NotEmpty("name the field that holds the address, e.g. url")]
    public required string UrlField { get; init; }

    [Setting("source.date-field", RecordFields.UsualDate, "The field or column with the date of a record, e.g. timestamp.")]
    [NotEmpty("name the field that holds the date, e.g. timestamp")]
    public required string DateField { get; init; }

    [Setting("source.language-field", RecordFields.UsualLanguage, """
        The field or column with the language of a record, a code like en. The key language, where it is set, holds for all instead.
        """)]
    [NotEmpty("name the field that holds the language, e.g. language")]
    public required string LanguageField { get; init; }

    [Setting("source.encoding", "utf-8", "The encoding of plain text and jsonl, as in corpus.encoding.")]
    public required string Encoding { get; init; }

    [Setting("source.subsets", false, """
        Counts documents by the name that their file gives besides the source's: meta.pile_set_name as in The Pile, or the field or column
        source. Losses are then shown by subset; for sources of a few subsets only.
        """)]
    public required bool Subsets { get; init; }

    [Setting("source.html", HtmlText.Page, """
        What of HTML is text: page, all that a person sees, or main, the title and the main text without menus, side bars and footers.
        A page in which no main text is found is named in rejects.txt.
        """)]
    public required HtmlText Html { get; init; }

    [Setting("source.licence", null, "The terms under which it is published, e.g. CC-BY-SA-4.0; kept with each document.")]
    public required string? Licence { get; init; }

    [Setting("source.language", null, "The language of all its documents, a code of ISO 639-1, where it has only one.")]
    [Matches("[a-z]{2}", "a code of two letters, e.g. en")]
    public required string? Language { get; init; }

    [Setting("source.validation", 0.0, """
        The share of its documents that is for validation, drawn by the hash of the text, so that a document stays there when the source
        grows; 1 for a source that is a validation set. A share wants the stage near-duplicates, without a scope.
        """)]
    [Between(0, 1)]
    public required double Validation { get; init; }

    [Setting("source.test", 0.0, "The share of its documents that is for tests, in the same way.")]
    [Between(0, 1)]
    public required double Test { get; init; }

    [Setting("source.weight", 1.0, """
        How often it is read in an epoch, where corpus.mixture says nothing. The text and its tokens do not change with it.
        """)]
    [Between(0, MixtureWeight.MostEpochs)]
    public required double Weight { get; init; }

    /// <summary>A part of its documents, and not all of them, is not trained on.</summary>
    public bool IsSplit => Validation + Test > 0 && Validation < 1 && Test < 1;

    /// <summary>Which part of the corpus a document of it belongs to.</summary>
    /// <param name="lot">See <see cref="PieceDocument.Lot"/>.</param>
    public Split SplitOf(double lot) => lot < Validation ? Split.Validation : lot < Validation + Test ? Split.Test : Split.Train;

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
    /// <param name="fields">What its stages look at of a record: see <see cref="BuildManifest.Fields"/>.</param>
    internal Reading Of(Reading reading, BlockList? blocks, IReadOnlyList<string> fields) => reading with
    {
        Fields = new RecordFields(UrlField, DateField, LanguageField, fields),
        Members = Members,
        MainText = Html == HtmlText.Main,
        Blocks = blocks,
        PassesOverRejects = OnReject == RejectPolicy.Continue,
        // Of a text that another build has written, too, a source reads what it is allowed to, on every machine.
        IsBuilt = false,
        LongestRecord = LongestRecordMiB << 20,
    };

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether()
    {
        if (Validation + Test > 1)
            yield return string.Create(CultureInfo.InvariantCulture, $"the source {Name} has validation = {Validation} and test = {Test}: ")
                + "together they are more than all of it";
        if (Paths.Count == 0)
        {
            yield return $"the source {Name} has no paths: name files or folders, e.g. paths = [books]";
            yield break;
        }
        foreach (var problem in Reading().Problems())
            yield return problem;
        foreach (var path in Paths.Where(SourceUrl.Is))
        {
            if ((S3Address.Is(path) ? (object?)S3Address.Parse(path, out var problem) : SourceUrl.Parse(path, out problem)) is null)
                yield return problem;
        }
        foreach (var mirror in Mirrors)
        {
            if (!Uri.TryCreate(mirror, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
                yield return $"the mirror {Foundation.OneLine.Of(mirror, 200)} of {Name} is no URL of http or https";
        }
    }
}
