using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Corpus.Build.Stages;
using ICU4N.Text;

namespace Elastic.Corpus.Languages;

/// <summary>The language that fits a text best.</summary>
/// <param name="Language">A code of ISO 639-1; null where the text has no letters.</param>
/// <param name="Margin">How much more a letter costs in the language that fits second best, in units of <see cref="LetterModels.Bit"/>,
/// summed over the letters.</param>
/// <param name="Letters">Letters that were looked at; a character of Chinese, Japanese or Korean counts as three.</param>
internal readonly record struct LanguageGuess(string? Language, long Margin, int Letters)
{
    /// <summary>The mean margin of a letter, in bits.</summary>
    public double BitsPerLetter => Letters == 0 ? 0 : (double)Margin / ((long)Letters * LetterModels.Bit);
}

/// <summary>
/// Finds the language of a text among some. What counts is a difference of whole sums, so the answer and its margin are the same on every
/// machine; being a mean, the margin says as much of a page as of a sentence.
/// </summary>
/// <param name="languages">Codes of ISO 639-1.</param>
internal sealed class LanguageIdentifier(IReadOnlyList<string> languages)
{
    private static readonly Normalize Composed = Normalizers.Form(Normalizer2.NFCInstance);

    // Addresses are made of English words, whatever the language around them.
    private static readonly Regex Addresses = new(
        @"[A-Za-z]+://[!-~]+|[!-?A-~]+@[!-~]+", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    private readonly Lazy<LetterModels> _models = new(() => LetterModels.Of(languages));

    /// <summary>The languages that there are counts for, codes of ISO 639-1 in their order.</summary>
    public static IReadOnlyList<string> Known => LinguaCounts.Languages;

    /// <summary>The language of a text.</summary>
    /// <param name="most">Characters to look at, from the first one.</param>
    public LanguageGuess Identify(string text, int most)
    {
        var models = _models.Value;
        var costs = new LetterCosts(models);
        Add(Addresses.Replace(Composed(Beginning.Of(text, most)), " "), costs);
        if (costs.Letters == 0)
            return default;
        var (sums, letters) = (costs.Sums, costs.Letters);
        var best = Array.IndexOf(sums, sums.Min());
        var second = sums.Where((_, language) => language != best).DefaultIfEmpty((long)letters * LetterModels.Unseen).Min();
        return new LanguageGuess(models.Languages[best], second - sums[best], letters);
    }

    // Letters in lower case. As in the counts, marks (vowel signs of India, tones of Thailand) are passed over, and all else ends a word.
    private static void Add(string text, LetterCosts costs)
    {
        foreach (var c in text)
        {
            if (char.IsLetter(c))
                costs.Add(c == 'İ' ? 'i' : char.ToLowerInvariant(c));
            else if (!IsPassedOver(c))
                costs.EndWord();
        }
    }

    private static bool IsPassedOver(char c) => char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark
        or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format;
}
