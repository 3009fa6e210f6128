using System.Buffers;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Recognises text in UTF-16 without a byte order mark, by its first bytes alone: zero bytes, which no other text has, are the high bytes
/// of Latin letters, digits, spaces and line ends. What has none among them (Chinese without a space, for example) is not recognised: it is
/// read as UTF-8, and counted as what is not in its encoding.
/// </summary>
internal static class UnmarkedUtf16
{
    /// <summary>Bytes that are looked at.</summary>
    public const int Looked = 4096;

    // What is wrong as UTF-8 is at least a fourth of the characters; text in UTF-8 with a zero byte here and there is not that bad.
    private const int LeastWrong = 4;

    // Where zeros alone are wrong as UTF-8, three of four characters have one: texts of ASCII that zeros part ("one\0two\0") have fewer.
    private const int LeastLatin = 3, OfLatin = 4;

    // At most one of 64 characters is none of a text: a control character, half a pair of surrogates, one of private use, U+FFFE, U+FFFF.
    // The bytes of other encodings, taken for UTF-16, are full of them.
    private const int MostStrange = 64;

    /// <summary>The encoding: UTF-16 with the low byte first, or with the high byte first; null for anything else.</summary>
    /// <param name="start">The beginning of a text; a longer one is looked at up to <see cref="Looked"/>.</param>
    public static Encoding? Of(ReadOnlySpan<byte> start)
    {
        start = start[..Math.Min(start.Length & ~1, Looked)];
        if (!start.Contains((byte)0) || start is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] or [0xEF, 0xBB, 0xBF, ..])
            return null;
        var (even, odd) = (Places.Of(start, 0), Places.Of(start, 1));
        // A text is of few blocks of 256 characters, and of many characters of these: high bytes repeat, low bytes less so.
        var highIsOdd = even.Different != odd.Different ? odd.Different < even.Different : odd.Zeros > even.Zeros;
        if (even == odd)
            return null;
        var (characters, wrong) = (start.Length / 2, WrongAsUtf8(start));
        var isText = wrong == even.Zeros + odd.Zeros
            ? OfLatin * (highIsOdd ? odd.Zeros : even.Zeros) >= LeastLatin * characters
            : LeastWrong * wrong >= characters;
        return isText && MostStrange * StrangeAsUtf16(start, highIsOdd) <= characters
            ? highIsOdd ? Encoding.Unicode : Encoding.BigEndianUnicode : null;
    }

    /// <summary>Whether that is what a packed file holds.</summary>
    public static bool IsIn(SourceFile file)
    {
        try
        {
            using var bytes = RejoinedStream.Peek(PackedFile.OpenToDamage(file, new ReadStatistics()), Looked);
            return Of(bytes.Start) is not null;
        }
        catch (RejectedFileException)
        {
            // Whoever reads it says so.
            return false;
        }
    }

    private static bool IsControl(int character) => character < ' ' && character is not ('\t' or '\n' or '\f' or '\r' or '\x1B');

    private static int WrongAsUtf8(ReadOnlySpan<byte> bytes)
    {
        var wrong = 0;
        while (Rune.DecodeFromUtf8(bytes, out var rune, out var length) is var status and not OperationStatus.NeedMoreData)
        {
            wrong += status == OperationStatus.Done && !IsControl(rune.Value) ? 0 : 1;
            bytes = bytes[length..];
        }
        return wrong;
    }

    private static int StrangeAsUtf16(ReadOnlySpan<byte> bytes, bool highIsOdd)
    {
        var (strange, isAfterHigh) = (0, false);
        for (var i = 0; i < bytes.Length; i += 2)
        {
            var character = (char)(highIsOdd ? bytes[i] | bytes[i + 1] << 8 : bytes[i] << 8 | bytes[i + 1]);
            if (isAfterHigh != char.IsLowSurrogate(character) || IsControl(character)
                || character is >= '\uE000' and <= '\uF8FF' or >= '\uFFFE')
                strange++;
            isAfterHigh = char.IsHighSurrogate(character);
        }
        return strange;
    }

    /// <summary>The bytes at the even or at the odd places.</summary>
    /// <param name="Different">How many values they have.</param>
    /// <param name="Zeros">How many of them are zero.</param>
    private readonly record struct Places(int Different, int Zeros)
    {
        public static Places Of(ReadOnlySpan<byte> bytes, int first)
        {
            Span<int> counts = stackalloc int[256];
            for (var i = first; i < bytes.Length; i += 2)
                counts[bytes[i]]++;
            return new Places(256 - counts.Count(0), counts[0]);
        }
    }
}
