using Elastic.Corpus.Classifiers;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// A learned filter: keeps documents that a classifier of fastText finds likely (or unlikely) enough to bear a label, as Li et al. 2024
/// ("DataComp-LM", section 4.4) choose theirs.
/// </summary>
public sealed class FastText : Stage
{
    private readonly FastTextSettings _settings;
    private readonly FastTextClassifier _classifier;
    private readonly int _label;

    /// <exception cref="ElasticException">The file is no classifier, or has no such label.</exception>
    public FastText(FastTextSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _settings = settings;
        var file = FastTextFile.Read(settings.Model);
        _classifier = new FastTextClassifier(file);
        _label = _classifier.Labels.ToList().IndexOf(settings.Label);
        if (_label < 0)
            throw new ElasticException($"{settings.Model} has no label {OneLine.Of(settings.Label, 80)}: use one of "
                + OneLine.Of(string.Join(", ", _classifier.Labels), 400));
        Inputs = [$"model {file.Digest.Hex}"];
    }

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<FastTextSettings>("fasttext", 1,
        "Keeps documents by the probability of a label, which a classifier of fastText gives them.", settings => new FastText(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Inputs { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } = ["probability"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return [_classifier.Probability(Beginning.Of(draft.Text, _settings.Characters), _label)];
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        Thresholds.Outside(
            signals[0], _settings.Least, _settings.Most, $"its probability of {Thresholds.Literal(_settings.Label)} is {{0}}");
}

/// <summary>Block <c>fasttext</c>.</summary>
public sealed record FastTextSettings : SettingsGroup
{
    [Setting("fasttext.model", "", "The .bin file that fasttext supervised has written; a relative path is the manifest's.",
        IsPath = true)]
    [NotEmpty("name the .bin file of the classifier")]
    public required string Model { get; init; }

    [Setting("fasttext.label", "", "The label whose probability counts, e.g. __label__good.")]
    [NotEmpty("name a label of the classifier, e.g. __label__good"), ChangesReading]
    public required string Label { get; init; }

    [Setting("fasttext.least", 0.5, "The least probability of a document that stays.")]
    [Between(0, 1)]
    public required double Least { get; init; }

    [Setting("fasttext.most", 1.0, "The largest probability of a document that stays: for labels of what is not wanted.")]
    [Between(0, 1)]
    public required double Most { get; init; }

    [Setting("fasttext.characters", 100_000, "Characters of a document that are read, from the first one.")]
    [AtLeast(1), ChangesReading]
    public required int Characters { get; init; }

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether()
    {
        if (Least > Most)
            yield return "fasttext.least is larger than fasttext.most, and no document would stay: swap them";
    }
}
