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

    // Scripts whose characters have had one category since Unicode 8: libraries differ in the version of Unicode that they know.
    private static readonly Gen<string> ScriptFragment = Gen.OneOf(
        Gen.Int[0x21, 0x7E], Gen.Int[0xA1, 0x24F], Gen.Int[0x300, 0x36F], Gen.Int[0x391, 0x3C9], Gen.Int[0x410, 0x44F],
            Gen.Int[0x5D0, 0x5EA],
        Gen.Int[0x621, 0x652], Gen.Int[0x905, 0x94D], Gen.Int[0xE01, 0xE30], Gen.Int[0x1E00, 0x1EFF], Gen.Int[0x2010, 0x2046],
        Gen.Int[0x2150, 0x215F], Gen.Int[0x2460, 0x24FF], Gen.Int[0x3041, 0x3096], Gen.Int[0x4E00, 0x9FCC], Gen.Int[0xAC00, 0xD7A3],
        Gen.Int[0xF900, 0xFA6D], Gen.Int[0xFB00, 0xFB06], Gen.Int[0xFF01, 0xFFBE], Gen.Int[0x1D400, 0x1D454], Gen.Int[0x1F300, 0x1F570],
        Gen.Int[0x20000, 0x2A6D6])
        .Select(char.ConvertFromUtf32).Array[1, 4].Select(string.Concat);

    /// <summary>Many scripts, in characters that every library knows. Two lone surrogates would be one of any characters.</summary>
    public static readonly Gen<string> Scripts = Joined(Gen.Frequency(
        (5, Fragment), (4, ScriptFragment), (1, LoneSurrogate.Select(c => c + "x"))));

    private static Gen<string> Joined(Gen<string> fragment) => fragment.Array[0, 12].Select(string.Concat);
}
