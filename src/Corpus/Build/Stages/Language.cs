using Elastic.Corpus.Languages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Finds the language of documents, for the scopes of the stages behind it and for whoever reads the metadata. A document keeps the
/// language that its source states where this one is not sure.
/// </summary>
public sealed class Language(LanguageSettings settings) : Stage
{
    private const string Blank = "\n\n";

    private const int Known = 0, Margin = 1, Letters = 2, Share = 3;

    private readonly LanguageIdentifier _identifier = new(
        settings.Candidates.Count == 0 ? LanguageIdentifier.Known : [.. settings.Candidates.Order(StringComparer.Ordinal)]);

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<LanguageSettings>("language", 1,
        "Finds the language of each document, or of each of its paragraphs, by the counts of Lingua.", settings => new Language(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } = ["known", "margin", "letters", "share"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var (guess, share) = settings.ByParagraph ? OfParagraphs(draft) : (_identifier.Identify(draft.Text, settings.Characters), 1);
        if (IsSure(guess) && share >= settings.LeastShare)
            draft.Facts = draft.Facts with { Language = guess.Language };
        var signals = new double[Signals.Count];
        signals[Known] = draft.Facts.Language is null ? 0 : 1;
        signals[Margin] = guess.BitsPerLetter;
        signals[Letters] = guess.Letters;
        signals[Share] = share;
        return signals;
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        settings.Unknown == UnknownLanguage.Keep || signals[Known] > 0 ? null
        : Thresholds.Outside(signals[Letters], settings.LeastLetters, double.PositiveInfinity,
            "its language is not known: it has {0} letters to tell it by")
        ?? Thresholds.Outside(signals[Share], settings.LeastShare, double.PositiveInfinity,
            "its language is not known: {0} of its letters are in the most frequent one")
        ?? Thresholds.Outside(signals[Margin], settings.LeastMargin, double.PositiveInfinity,
            "its language is not known: two are {0} bits a letter apart");

    private bool IsSure(LanguageGuess guess) => guess.Letters >= settings.LeastLetters && guess.BitsPerLetter >= settings.LeastMargin;

    // The language with the most letters, with the margin in its paragraphs, and its share of the letters whose language is known. Where
    // none is known, what is found of the whole.
    private (LanguageGuess Guess, double Share) OfParagraphs(Draft draft)
    {
        var paragraphs = draft.Text.Split(Blank)
            .Select(text => (Text: text, Guess: _identifier.Identify(text, settings.Characters))).ToList();
        var languages = paragraphs.Select(p => p.Guess).Where(IsSure).GroupBy(guess => guess.Language, StringComparer.Ordinal)
            .Select(g => new LanguageGuess(g.Key, g.Sum(guess => guess.Margin), g.Sum(guess => guess.Letters)))
            .OrderByDescending(guess => guess.Letters).ThenBy(guess => guess.Language, StringComparer.Ordinal).ToList();
        if (languages.Count == 0)
            return (_identifier.Identify(draft.Text, settings.Characters), 1);
        var most = languages[0];
        var share = Thresholds.Share(most.Letters, languages.Sum(guess => (long)guess.Letters));
        if (settings.Foreign == ForeignParagraphs.Cut && share >= settings.LeastShare)
            draft.Text = string.Join(Blank,
                paragraphs.Where(p => !IsSure(p.Guess) || p.Guess.Language == most.Language).Select(p => p.Text));
        return (most, share);
    }
}

/// <summary>What becomes of documents whose language is not known.</summary>
public enum UnknownLanguage
{
    /// <summary>They stay, outside of every scope of languages.</summary>
    Keep,

    /// <summary>They are dropped.</summary>
    Drop,
}

/// <summary>What becomes of paragraphs in another language than the document.</summary>
public enum ForeignParagraphs
{
    /// <summary>They stay.</summary>
    Keep,

    /// <summary>They are taken out.</summary>
    Cut,
}

/// <summary>Block <c>language</c>.</summary>
public sealed record LanguageSettings : SettingsGroup
{
    [Setting("language.candidates", new string[0], """
        Codes of ISO 639-1 of the languages that documents can be in; empty for all that there are counts for. Fewer are faster and surer.
        """)]
    [ChangesReading]
    public required IReadOnlyList<string> Candidates { get; init; }

    [Setting("language.characters", 4096, "Characters of a document, or of a paragraph, that are looked at, from the first one.")]
    [Between(1, 1_000_000), ChangesReading]
    public required int Characters { get; init; }

    [Setting("language.least-margin", 0.1, """
        How many bits a letter must be dearer in the language that fits second best. Below it the language is not known. Languages that
        are nearly alike (Bosnian and Croatian, Danish and Norwegian) are 0.05 to 0.3 apart, others 0.5 to 3.
        """)]
    [AtLeast(0), ChangesReading]
    public required double LeastMargin { get; init; }

    [Setting("language.least-letters", 12, "The fewest letters by which a language is told.")]
    [AtLeast(1), ChangesReading]
    public required int LeastLetters { get; init; }

    [Setting("language.unknown", UnknownLanguage.Keep, """
        Whether documents whose language is not known stay, outside of every scope of languages: keep or drop.
        """)]
    public required UnknownLanguage Unknown { get; init; }

    [Setting("language.by-paragraph", false, """
        Look at each paragraph by itself (what blank lines separate: the stage clean comes first). The document is in the language that
        most of its letters are in.
        """)]
    [ChangesReading]
    public required bool ByParagraph { get; init; }

    [Setting("language.least-share", 0.5, "With by-paragraph, the least share of letters in that language; below it, it is not known.")]
    [Between(0, 1), ChangesReading]
    public required double LeastShare { get; init; }

    [Setting("language.foreign", ForeignParagraphs.Keep, """
        With by-paragraph, whether paragraphs that are surely in another language stay: keep or cut.
        """)]
    [ChangesReading]
    public required ForeignParagraphs Foreign { get; init; }

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether()
    {
        if (Candidates.FirstOrDefault(c => !LanguageIdentifier.Known.Contains(c)) is { } unknown)
            yield return $"language.candidates names {Foundation.OneLine.Of(unknown, 20)}, which there are no counts for: use some of "
                + string.Join(" ", LanguageIdentifier.Known);
        if (Candidates.Distinct(StringComparer.Ordinal).Count() < Candidates.Count)
            yield return "language.candidates names a language twice: name each once";
        if (Candidates.Count == 1)
            yield return "language.candidates names one language, and a document is in one of at least two: name another one, or set "
                + "source.language";
        if (Foreign == ForeignParagraphs.Cut && !ByParagraph)
            yield return "language.foreign = cut needs language.by-paragraph = true";
    }
}
