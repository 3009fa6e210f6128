using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using Elastic.Foundation;
using ICU4N.Text;

namespace Elastic.Corpus;

/// <summary>Changes text before it is cut into words.</summary>
internal delegate string Normalize(string text);

/// <summary>
/// The normalizers that a tokenizer file may name. <c>string.Normalize</c> returns its argument in a program without globalization, so
/// the forms of Unicode come from ICU4N.
/// </summary>
internal static class Normalizers
{
    private static readonly FrozenDictionary<string, Func<JsonPart, Normalize>> Known = new Dictionary<string, Func<JsonPart, Normalize>>
    {
        ["Sequence"] = part => InOrder([.. part.Need("normalizers").Items().Select(Of)]),
        ["NFC"] = _ => Form(Normalizer2.NFCInstance),
        ["NFD"] = _ => Form(Normalizer2.NFDInstance),
        ["NFKC"] = _ => Form(Normalizer2.NFKCInstance),
        ["NFKD"] = _ => Form(Normalizer2.NFKDInstance),
        ["Lowercase"] = _ => CodePoints.ToLower,
        ["StripAccents"] = _ => text => Without(text, IsMark),
        ["BertNormalizer"] = Bert,
        ["Prepend"] = part => part.Text("prepend") is var before ? text => text.Length == 0 ? text : before + text : null!,
        ["Strip"] = part => (part.Flag("strip_left", true), part.Flag("strip_right", true)) is var (left, right)
            ? text => Strip(text, left, right) : null!,
        ["Replace"] = Replace,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <exception cref="ElasticException">It is not known, or what it says cannot be.</exception>
    public static Normalize Of(JsonPart part) => part.Make(Known);

    private static Normalize InOrder(Normalize[] steps) => text => steps.Aggregate(text, (t, step) => step(t));

    /// <summary>Brings text into a normal form of Unicode.</summary>
    public static Normalize Form(Normalizer2 form) => text => Ascii.IsValid(text) ? text : form.Normalize(text);

    private static Normalize Replace(JsonPart part)
    {
        var (pattern, content) = (part.Need("pattern"), part.Text("content"));
        if (pattern.FindText("String") is { } searched)
            return searched.Length == 0
                ? throw pattern.Wrong("replaces a text without characters") : text =>
                    text.Replace(searched, content, StringComparison.Ordinal);
        var expression = new Pattern(pattern.Text("Regex"));
        return text =>
        {
            var (at, read, result) = (0, 0L, new StringBuilder(text.Length));
            while (expression.Find(text, at, ref read, out var start, out var end))
            {
                result.Append(text, at, start - at).Append(content);
                at = end;
            }
            return result.Append(text, at, text.Length - at).ToString();
        };
    }

    // BERT's BasicTokenizer (Devlin et al. 2019, tokenization.py).
    private static Normalize Bert(JsonPart part)
    {
        var (cleans, isLower) = (part.Flag("clean_text", true), part.Flag("lowercase", true));
        var (parts, strips) = (part.Flag("handle_chinese_chars", true), part.Flag("strip_accents", isLower));
        return text =>
        {
            if (cleans)
                text = Clean(text);
            if (parts)
                text = PartIdeographs(text);
            if (strips && !Ascii.IsValid(text))
                text = Without(Normalizer2.NFDInstance.Normalize(text), c =>
                    CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark);
            return isLower ? CodePoints.ToLower(text) : text;
        };
    }

    private static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var c in text.EnumerateRunes())
            if (c.Value is '\t' or '\n' or '\r' || Rune.IsWhiteSpace(c) && !Rune.IsControl(c))
                clean.Append(' ');
            else if (c.Value is not (0 or 0xFFFD) && !IsControl(c.Value))
                Add(clean, c);
        return clean.ToString();
    }

    private static bool IsControl(int c) => CharUnicodeInfo.GetUnicodeCategory(c)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse;

    private static string PartIdeographs(string text)
    {
        if (Ascii.IsValid(text))
            return text;
        var parted = new StringBuilder(text.Length);
        foreach (var c in text.EnumerateRunes())
            if (IsIdeograph(c.Value))
                Add(parted.Append(' '), c).Append(' ');
            else
                Add(parted, c);
        return parted.ToString();
    }

    // BERT's blocks; the last but one begins at U+2B820 in the paper's code and a hundred later in the library that wrote the files.
    private static bool IsIdeograph(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x2F800 and <= 0x2FA1F);

    private static bool IsMark(int c) => CharUnicodeInfo.GetUnicodeCategory(c)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    private static string Without(string text, Predicate<int> isLeftOut)
    {
        if (Ascii.IsValid(text))
            return text;
        var rest = new StringBuilder(text.Length);
        foreach (var c in text.EnumerateRunes())
            if (!isLeftOut(c.Value))
                Add(rest, c);
        return rest.ToString();
    }

    private static StringBuilder Add(StringBuilder to, Rune c)
    {
        Span<char> characters = stackalloc char[2];
        return to.Append(characters[..c.EncodeToUtf16(characters)]);
    }

    private static string Strip(string text, bool left, bool right)
    {
        if (left)
            text = text.TrimStart();
        return right ? text.TrimEnd() : text;
    }
}
