using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// A visible character for each byte, in which vocabularies of byte-level BPE are written (Radford et al. 2019, encoder.py): printable
/// characters of Latin-1 stand for themselves, the other 68 bytes for U+0100 and on.
/// </summary>
internal static class ByteAlphabet
{
    /// <summary>Stands in a list of pre-tokenizers for "the model reads words in this alphabet".</summary>
    public static readonly PreTokenizer Marker = new Unchanged();

    private static readonly char[] CharacterOf = Characters();

    /// <summary>The character of a byte.</summary>
    public static char Of(byte b) => CharacterOf[b];

    /// <summary>The byte that a character stands for; -1 where it stands for none.</summary>
    public static int ByteOf(char c) => c switch
    {
        >= '!' and <= '~' or >= '\u00A1' and <= '\u00AC' or >= '\u00AE' and <= '\u00FF' => c,
        >= '\u0100' and <= '\u0120' => c - '\u0100',
        >= '\u0121' and <= '\u0142' => c - '\u0121' + 127,
        '\u0143' => 173,
        _ => -1,
    };

    /// <summary>Writes the UTF-8 bytes of a text in the alphabet; returns how many.</summary>
    /// <param name="into">At least three times as long as the text.</param>
    public static int Write(ReadOnlySpan<char> text, Span<char> into)
    {
        var count = 0;
        Span<byte> bytes = stackalloc byte[4];
        foreach (var c in text.EnumerateRunes())
        {
            if (c.IsAscii)
            {
                into[count++] = CharacterOf[c.Value];
                continue;
            }
            foreach (var b in bytes[..c.EncodeToUtf8(bytes)])
                into[count++] = CharacterOf[b];
        }
        return count;
    }

    /// <summary>The bytes of a token: those that its characters stand for, or its UTF-8 where one of them stands for none.</summary>
    public static byte[] BytesOf(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            var b = ByteOf(token[i]);
            if (b < 0)
                return Encoding.UTF8.GetBytes(token);
            bytes[i] = (byte)b;
        }
        return bytes;
    }

    private static char[] Characters()
    {
        var characters = new char[256];
        for (var c = '\0'; c <= '\u0143'; c++)
            if (ByteOf(c) is var b and >= 0)
                characters[b] = c;
        return characters;
    }

    private sealed class Unchanged : PreTokenizer
    {
        public override void Cut(Piece piece, List<Piece> into) => into.Add(piece);
    }
}
