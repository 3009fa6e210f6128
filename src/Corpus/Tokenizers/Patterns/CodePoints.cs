using System.Globalization;

namespace Elastic.Corpus;

/// <summary>Whether a code point, whose category is given along, belongs to a set.</summary>
internal delegate bool CodePointSet(int codePoint, UnicodeCategory category);

/// <summary>Code points of UTF-16 text, and the sets of them that tokenizer files name.</summary>
internal static class CodePoints
{
    public const int Count = 0x110000;

    // The two-letter names of Unicode, in the order of UnicodeCategory.
    private static readonly string[] Categories =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    /// <summary>The code point that starts at <paramref name="i"/>; a lone surrogate stands for itself.</summary>
    public static int At(ReadOnlySpan<char> text, int i, out int width)
    {
        var c = text[i];
        width = 1;
        if (!char.IsHighSurrogate(c) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1]))
            return c;
        width = 2;
        return char.ConvertToUtf32(c, text[i + 1]);
    }

    /// <summary>The text with each lone surrogate replaced by U+FFFD, as encoding to UTF-8 does.</summary>
    public static string WithoutLoneSurrogates(string text)
    {
        var at = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (at < 0)
            return text;
        char[]? mended = null;
        for (var i = at; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                i++;
            else
                (mended ??= text.ToCharArray())[i] = '\uFFFD';
        }
        return mended is null ? text : new string(mended);
    }

    /// <summary>The set of a category (Lu) or of a group of them (L); null where there is none of that name.</summary>
    public static CodePointSet? OfCategory(string name)
    {
        var mask = 0L;
        for (var i = 0; i < Categories.Length; i++)
            if (Categories[i] == name || (name.Length == 1 && Categories[i][0] == name[0]))
                mask |= 1L << i;
        return mask == 0 ? null : (_, category) => (mask >> (int)category & 1) != 0;
    }

    /// <summary>Unicode's White_Space.</summary>
    public static bool IsWhiteSpace(int c, UnicodeCategory category = default) => c <= char.MaxValue && char.IsWhiteSpace((char)c);

    /// <summary>Any of Unicode's categories of punctuation, and what ASCII counts as such: $ + &lt; = &gt; ^ ` | ~.</summary>
    public static bool IsPunctuation(int c) =>
        c < 128 ? char.IsPunctuation((char)c) || char.IsSymbol((char)c)
        : CharUnicodeInfo.GetUnicodeCategory(c) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    /// <summary>Decimal digits, letters that are numbers (Ⅷ) and other numbers (½).</summary>
    public static bool IsNumber(int c) =>
        CharUnicodeInfo.GetUnicodeCategory(c) is >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber;

    /// <summary>
    /// What Unicode calls a word character (UTS 18, annex C): letters, marks, decimal digits, letter numbers, connectors, joiners.
    /// </summary>
    public static bool IsWord(int c) => c is 0x200C or 0x200D || IsLetterOrDigit(c, CharUnicodeInfo.GetUnicodeCategory(c));

    /// <summary>
    /// What Oniguruma, by which the expressions of tokenizer files are meant, calls a word character: no joiners, and six numbers of
    /// Latin-1.
    /// </summary>
    public static bool IsWordOfExpression(int c, UnicodeCategory category) =>
        c is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE) || IsLetterOrDigit(c, category);

    // Letters in circles and squares are symbols by their category.
    private static bool IsLetterOrDigit(int c, UnicodeCategory category) =>
        category is <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || c is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>Lower case of one code point as Unicode's table has it, which gives two for one letter (U+0130).</summary>
    public static string ToLower(string text)
    {
        var lower = text.ToLowerInvariant();
        return text.Contains('\u0130', StringComparison.Ordinal) ? LowerWithDot(text) : lower;
    }

    private static string LowerWithDot(string text) =>
        string.Join("i\u0307", text.Split('\u0130').Select(part => part.ToLowerInvariant()));
}
