using System.Globalization;

namespace Elastic.Corpus;

/// <summary>
/// Cuts text into the words that GPT-2 merges separately, without the original's regular expression
/// <c>'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c> (Radford et al. 2019,
/// encoder.py) but with its result. Like the original, and unlike a .NET regular expression, it sees code points: a letter outside
/// the basic plane is a letter, not two surrogates. The Unicode version of the .NET runtime decides which characters are letters; runtimes
/// differ only over characters that one of them does not know yet.
/// </summary>
internal static class Gpt2Words
{
    private const byte Other = 0, Letter = 1, Number = 2, Space = 3, HighSurrogate = 4;

    private static readonly byte[] Kinds = KindsOfBasicPlane();

    /// <summary>The end of the word that starts at <paramref name="start"/>, which lies inside the text.</summary>
    public static int EndOfWord(ReadOnlySpan<char> text, int start)
    {
        var first = text[start];
        if (first == '\'' && ContractionLength(text[start..]) is var length and > 0)
            return start + length;
        var i = start;
        if (first == ' ' && start + 1 < text.Length)
            i++;
        var kind = KindAt(text, i, out var width);
        if (kind != Space)
        {
            do
                i += width;
            while (i < text.Length && KindAt(text, i, out width) == kind);
            return i;
        }
        while (i < text.Length && Kinds[text[i]] == Space)
            i++;
        // \s+(?!\S): the last space of several belongs to the word that follows. A single one stands alone.
        return i < text.Length && i - start > 1 ? i - 1 : i;
    }

    // Length of 's 'd 'm 't 'll 've 're at the start of the text, apostrophe included; 0 for none. Lower case only, as published.
    private static int ContractionLength(ReadOnlySpan<char> text) =>
        text.Length < 2 ? 0
        : text[1] is 's' or 'd' or 'm' or 't' ? 2
        : text.Length > 2 && (text[1], text[2]) is ('l', 'l') or ('v', 'e') or ('r', 'e') ? 3
        : 0;

    private static byte KindAt(ReadOnlySpan<char> text, int i, out int width)
    {
        width = 1;
        var kind = Kinds[text[i]];
        if (kind != HighSurrogate)
            return kind;
        if (i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1]))
            return Other;
        width = 2;
        return KindOf(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1])));
    }

    private static byte KindOf(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => Other,
    };

    private static byte[] KindsOfBasicPlane()
    {
        var kinds = new byte[char.MaxValue + 1];
        for (var i = 0; i < kinds.Length; i++)
        {
            var c = (char)i;
            kinds[i] = char.IsWhiteSpace(c) ? Space : char.IsHighSurrogate(c) ? HighSurrogate : KindOf(char.GetUnicodeCategory(c));
        }
        return kinds;
    }
}
