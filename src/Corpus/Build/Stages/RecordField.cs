using System.Globalization;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Keeps documents by what their own record says of them: a score, an attribute, a word. Published corpora carry such fields for this:
/// language_score and int_score of FineWeb-Edu (Penedo et al. 2024), the attributes of Dolma (Soldaini et al. 2024).
/// </summary>
public sealed class RecordField(RecordFieldSettings settings) : Stage
{
    private const int IsThere = 0, Value = 1;

    private readonly HashSet<string> _words = new(settings.OneOf, StringComparer.Ordinal);

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<RecordFieldSettings>("field", 1,
        "Keeps documents by a number or a word in a field of their own record.", settings => new RecordField(settings));

    /// <summary>The field.</summary>
    public string Name => settings.Field;

    private bool IsOfWords => _words.Count > 0;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals =>
        [$"{settings.Field} is there", IsOfWords ? $"{settings.Field} is wanted" : settings.Field];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        if (draft.Fields?.GetValueOrDefault(settings.Field) is not { } text)
            return [0, 0];
        if (IsOfWords)
            return [1, _words.Contains(text) ? 1 : 0];
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? [1, number] : [0, 0];
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals)
    {
        if (signals[IsThere] == 0)
            return settings.Missing == MissingField.Keep ? null
                : $"its record has no {(IsOfWords ? "word" : "number")} in the field {settings.Field}";
        if (IsOfWords)
            return signals[Value] > 0 ? null : $"the field {settings.Field} of its record is none of {string.Join(", ", settings.OneOf)}";
        return Thresholds.Outside(
            signals[Value], settings.AtLeast ?? double.NegativeInfinity, settings.AtMost ?? double.PositiveInfinity,
            $"the field {Thresholds.Literal(settings.Field)} of its record is {{0}}");
    }
}

/// <summary>What becomes of documents whose record has no such field, or nothing in it that can be compared.</summary>
public enum MissingField
{
    /// <summary>They are dropped.</summary>
    Drop,

    /// <summary>They stay.</summary>
    Keep,
}

/// <summary>Block <c>field</c>.</summary>
public sealed record RecordFieldSettings : SettingsGroup
{
    [Setting("field.field", "", """
        The field or column that is looked at, e.g. int_score; a '.' leads into a field of jsonl: attributes.toxicity. Of jsonl, Parquet,
        Arrow and CSV.
        """)]
    [NotEmpty("name the field, e.g. field = int_score"), ChangesReading]
    public required string Field { get; init; }

    [Setting("field.at-least", null, "The smallest number that stays.")]
    public required double? AtLeast { get; init; }

    [Setting("field.at-most", null, "The largest number that stays.")]
    public required double? AtMost { get; init; }

    [Setting("field.one-of", new string[0], "The words that stay, letter by letter as records have them, in place of numbers.")]
    [ChangesReading]
    public required IReadOnlyList<string> OneOf { get; init; }

    [Setting("field.missing", MissingField.Drop, """
        What becomes of a document whose record has no such field, or no number in it where numbers are compared: drop or keep.
        """)]
    public required MissingField Missing { get; init; }

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether()
    {
        if (OneOf.Count > 0 && (AtLeast ?? AtMost) is not null)
            yield return "field.one-of compares words, and field.at-least and field.at-most numbers: name the stage twice for both";
        if (OneOf.Count == 0 && (AtLeast ?? AtMost) is null)
            yield return $"the stage field drops nothing of {Field}: set at-least, at-most or one-of";
        if (AtLeast > AtMost)
            yield return "field.at-least is above field.at-most, so that nothing would stay: exchange them";
    }
}
