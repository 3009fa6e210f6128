using System.Runtime.InteropServices;
using System.Text;

namespace Elastic.Corpus;

/// <summary>A token is a UTF-8 byte. Needs no vocabulary, and suits models too small to learn one.</summary>
public sealed class ByteTokenizer : Tokenizer
{
    internal const string Name = "byte";

    internal static readonly ByteTokenizer Instance = new();

    private ByteTokenizer() { }

    /// <inheritdoc/>
    public override string Id => Name;

    /// <inheritdoc/>
    public override int VocabularySize => 257;

    /// <inheritdoc/>
    public override int EndOfText => 256;

    /// <inheritdoc/>
    public override void Encode(string text, List<int> into, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(into);
        // Pieces of a fixed size keep the bytes in the cache; the encoder carries a surrogate pair across two of them.
        const int Piece = 4096;
        Span<byte> bytes = stackalloc byte[Piece * 3 + 4];
        var encoder = Encoding.UTF8.GetEncoder();
        into.EnsureCapacity(into.Count + text.Length);
        for (var i = 0; i < text.Length; i += Piece)
        {
            cancel.ThrowIfCancellationRequested();
            var piece = text.AsSpan(i, Math.Min(Piece, text.Length - i));
            var written = encoder.GetBytes(piece, bytes, flush: i + piece.Length == text.Length);
            Append(bytes[..written], into);
        }
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> tokens)
    {
        var bytes = new byte[tokens.Length];
        var count = 0;
        foreach (var token in tokens)
            if (ByteCount(token) == 1)
                bytes[count++] = (byte)token;
        return Encoding.UTF8.GetString(bytes.AsSpan(0, count));
    }

    /// <inheritdoc/>
    public override int ByteCount(int token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(token, EndOfText);
        return token == EndOfText ? 0 : 1;
    }

    private static void Append(ReadOnlySpan<byte> bytes, List<int> into)
    {
        var start = into.Count;
        CollectionsMarshal.SetCount(into, start + bytes.Length);
        var target = CollectionsMarshal.AsSpan(into)[start..];
        for (var i = 0; i < bytes.Length; i++)
            target[i] = bytes[i];
    }
}
