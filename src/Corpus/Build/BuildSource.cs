using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

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
    [Setting("source.name", "", "What the source is called in reports, in metadata and in scopes. Each has a name of its own.")]
    [NotEmpty("give each source a name of its own, e.g. name = books")]
    public required string Name { get; init; }

    [Setting("source.paths", new string[0], "Files and folders, as in corpus.sources; relative ones are the manifest's.")]
    public required IReadOnlyList<string> Paths { get; init; }

    [Setting("source.include", new string[0], "Patterns of the files to read, as in corpus.include; empty for all that can be read.")]
    public required IReadOnlyList<string> Include { get; init; }

    [Setting("source.exclude", new string[0], "Patterns of the files and folders to leave out, as in corpus.exclude.")]
    public required IReadOnlyList<string> Exclude { get; init; }

    [Setting("source.text-field", "text", "The field or column with the text, as in corpus.text-field.")]
    [NotEmpty("name the field that holds the text, e.g. text")]
    public required string TextField { get; init; }

    [Setting("source.encoding", "utf-8", "The encoding of plain text and jsonl, as in corpus.encoding.")]
    public required string Encoding { get; init; }

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

    /// <summary>The settings by which its files are found and read.</summary>
    public CorpusSettings Reading() => CorpusSettings.Defaults with
    {
        Sources = Paths,
        Include = Include,
        Exclude = Exclude,
        TextField = TextField,
        Encoding = Encoding,
    };

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether() =>
        Paths.Count == 0 ? [$"the source {Name} has no paths: name files or folders, e.g. paths = [books]"] : Reading().Problems();
}
