using CsCheck;

namespace Elastic.Corpus.Tests;

/// <summary>Random text that is nastier than real text.</summary>
internal static class Texts
{
    private static readonly Gen<string> Fragment = Gen.OneOf(
        Gen.OneOf("'s", "'ll", "'ve", "'re", "'", "'S", " ", "  ",
            "\n", "\n\n", "\t", "\r\n", "\u00A0", "\u3000", "\u2028", "\u0085", "\u200B", "\uFEFF"),
        Gen.OneOf("the", " of", "Hello", "world", "0", "00", "000", "x1", "don't", "<|endoftext|>",
            "!!!", "...", "()", "{}", "é", "e\u0301", "²", "½", "Ⅷ", "नमस्ते"),
        Gen.String[Gen.Char['a', 'z'], 1, 12],
        Gen.String[Gen.Char[' ', '~'], 1, 12],
        Gen.String[Gen.OneOf('0', 'a', ' '), 1, 40]);

    private static readonly Gen<string> BasicPlaneFragment = Gen.String[Gen.Char.Where(c => !char.IsSurrogate(c)), 1, 4];

    // Emoji, and code points of all planes, letters and digits among them.
    private static readonly Gen<string> AstralFragment = Gen.OneOf(
        Gen.Int[0x10000, 0x10FFFF], Gen.Int[0x10000, 0x1FFFF], Gen.Int[0x1D400, 0x1D7FF], Gen.Int[0x1F300, 0x1F6FF],
        Gen.Int[0x20000, 0x2A6DF])
        .Select(char.ConvertFromUtf32);

    private static readonly Gen<string> LoneSurrogate = Gen.Char['\uD800', '\uDFFF'].Select(c => c.ToString());

    /// <summary>No code point beyond the basic plane.</summary>
    public static readonly Gen<string> BasicPlane = Joined(Gen.OneOf(Fragment, BasicPlaneFragment));

    /// <summary>Every plane, and lone surrogates.</summary>
    public static readonly Gen<string> Any = Joined(Gen.Frequency(
        (6, Fragment), (2, BasicPlaneFragment), (2, AstralFragment), (1, LoneSurrogate)));

    private static Gen<string> Joined(Gen<string> fragment) => fragment.Array[0, 12].Select(string.Concat);
}
