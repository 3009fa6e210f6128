using System.Globalization;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>A source in the manifest of a build: files of one origin.</summary>
public sealed record SourceSettings : SettingsGroup
{
    [Setting("source.name", "", "What the source is called in reports, in metadata and in scopes. Each has a name of its own.")]
    [NotEmpty("give each source a name of its own, e.g. name = books")]
    public required string Name { get; init; }

    [Setting("source.paths", new string[0], "Files and folders, as in corpus.sources; relative ones are the manifest's.",
        IsPath = true)]
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
    public CorpusSettings Reading() => CorpusSettings.Defaults with
    {
        Sources = Paths,
        Include = Include,
        Exclude = Exclude,
        TextField = TextField,
        Encoding = Encoding,
    };

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether()
    {
        if (Validation + Test > 1)
            yield return string.Create(CultureInfo.InvariantCulture, $"the source {Name} has validation = {Validation} and test = {Test}: ")
                + "together they are more than all of it";
        if (Paths.Count == 0)
            yield return $"the source {Name} has no paths: name files or folders, e.g. paths = [books]";
        else
            foreach (var problem in Reading().Problems())
                yield return problem;
    }
}
