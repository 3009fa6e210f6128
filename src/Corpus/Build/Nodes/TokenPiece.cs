using System.Runtime.InteropServices;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Corpora;

namespace Elastic.Corpus.Build;

/// <summary>
/// The tokens of the documents of a <see cref="DocumentPiece"/>, as they travel and as they wait for their place in a shard. Two bytes an
/// element where all fit in, else four; little-endian.
/// </summary>
public static class TokenPiece
{
    /// <summary>Bytes of a piece, at most: far more than tokenizers make.</summary>
    public const long MostBytes = 16L * DocumentPiece.MostBytes;

    // Sixteen tokens of four bytes for each byte of the documents, and room for what is told of these.
    private const int MostBytesEach = 64, Room = 1 << 20;

    // Two empty texts, two truths and two numbers.
    private const int LeastBytes = 12;

    /// <summary>Bytes of the tokens of a piece of so many bytes, at most.</summary>
    public static long MostBytesOf(int documents) => Math.Min(MostBytes, Room + (long)MostBytesEach * documents);

    /// <summary>Writes them.</summary>
    public static void Write(IReadOnlyList<TokenizedDocument> documents, Stream into)
    {
        ArgumentNullException.ThrowIfNull(documents);
        using var writer = new BinaryWriter(into, Encoding.UTF8, leaveOpen: true);
        writer.Write(documents.Count);
        foreach (var document in documents)
        {
            writer.Write(document.Source);
            writer.Write(document.Language ?? "");
            writer.Write(document.ByteCount);
            writer.Write(document.IsHeldOut);
            var elements = document.Tokens.Span;
            var isShort = !elements.ContainsAnyExceptInRange(0, ushort.MaxValue);
            writer.Write(isShort);
            writer.Write(elements.Length);
            if (isShort)
            {
                var shorts = new ushort[elements.Length];
                for (var i = 0; i < shorts.Length; i++)
                    shorts[i] = (ushort)elements[i];
                writer.Write(MemoryMarshal.AsBytes(shorts.AsSpan()));
            }
            else
                writer.Write(MemoryMarshal.AsBytes(elements));
        }
    }

    /// <summary>What <see cref="Write"/> wrote, perhaps on another machine.</summary>
    /// <param name="sequence">The number of the piece.</param>
    /// <param name="vocabulary">The tokenizer's.</param>
    /// <exception cref="ElasticException">It is no such piece, or has tokens that the tokenizer has not.</exception>
    public static TokenizedBatch Read(string path, long sequence, int vocabulary)
    {
        try
        {
            using var file = File.OpenRead(path);
            using var reader = new BinaryReader(file, Encoding.UTF8);
            var documents = new TokenizedDocument[CountOf(reader, LeastBytes)];
            for (var i = 0; i < documents.Length; i++)
                documents[i] = ReadDocument(reader, vocabulary);
            return file.Position == file.Length ? new TokenizedBatch(sequence, documents) : throw new EndOfStreamException();
        }
        // A length below zero of a text is a mere IOException.
        catch (Exception e) when (e is IOException and not (FileNotFoundException or DirectoryNotFoundException)
            or FormatException or ArgumentException)
        {
            throw new ElasticException($"{path} holds no tokens of a text ({e.Message}): give the same command again", e);
        }
    }

    // No more than could follow, nor than an array can have.
    private static int CountOf(BinaryReader reader, int bytesEach) => reader.ReadInt32() is var count
        && count >= 0 && count <= Array.MaxLength && count <= (reader.BaseStream.Length - reader.BaseStream.Position) / bytesEach
        ? count : throw new EndOfStreamException();

    private static TokenizedDocument ReadDocument(BinaryReader reader, int vocabulary)
    {
        var (source, language, bytes, isHeldOut) = (
            reader.ReadString(), reader.ReadString(), reader.ReadInt32(), reader.ReadBoolean());
        var isShort = reader.ReadBoolean();
        var elements = new int[CountOf(reader, isShort ? sizeof(ushort) : sizeof(int))];
        if (isShort)
        {
            var shorts = new ushort[elements.Length];
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(shorts.AsSpan()));
            for (var i = 0; i < shorts.Length; i++)
                elements[i] = shorts[i];
        }
        else
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(elements.AsSpan()));
        if (bytes < 0 || Array.Exists(elements, e => !SampleElement.IsValid(e, vocabulary)))
            throw new FormatException();
        return new TokenizedDocument(elements, bytes, source, isHeldOut)
        {
            Language = language.Length > 0 ? language : null,
            Uncounted = elements.Count(e => (e & SampleElement.NotCounted) != 0),
        };
    }
}
