using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// Documents that follow each other in a text, as one machine sends them to another one that is to make their tokens: with all that decides
/// these, and nothing else.
/// </summary>
public static class DocumentPiece
{
    /// <summary>Bytes of a piece, at most: <see cref="MostCharacters"/>, and the last document, which is read whole.</summary>
    public const int MostBytes = 1 << 30;

    // A tenth of a second or so of a fast tokenizer, and a second or two of a slow one.
    private const int MostCharacters = 8 << 20;

    // A piece of less is not worth an order.
    private const int LeastCharacters = 1 << 10;

    // So that all nodes get some of a small text, which is packed to a fourth or so.
    private const int LeastPieces = 64, UsualPacking = 4;

    /// <summary>Characters after which a piece of a text is closed: it follows from the text alone.</summary>
    /// <param name="packedBytes">Bytes of the text's files.</param>
    public static int CharactersOf(long packedBytes) =>
        (int)Math.Clamp(packedBytes * UsualPacking / LeastPieces, LeastCharacters, MostCharacters);

    /// <summary>As they travel.</summary>
    public static byte[] Write(IReadOnlyList<Document> documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8, leaveOpen: true);
        writer.Write(documents.Count);
        foreach (var document in documents)
        {
            writer.Write(document.Source);
            writer.Write(document.Text);
            writer.Write(document.Prompt ?? "");
            writer.Write(document.Language ?? "");
            writer.Write(document.LineStart?.Hex ?? "");
            writer.Write(document.Prompt is not null);
            writer.Write(document.IsValidation);
            writer.Write(document.IsContinued);
            writer.Write(document.Pieces?.Count ?? 0);
            foreach (var piece in document.Pieces ?? [])
            {
                writer.Write((byte)piece.Kind);
                writer.Write(piece.Text);
                writer.Write(piece.IsCounted);
            }
        }
        return bytes.ToArray();
    }

    /// <summary>What <see cref="Write"/> wrote; the documents' names are not told.</summary>
    /// <exception cref="ElasticException">It is no piece.</exception>
    public static IReadOnlyList<Document> Read(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
            var documents = new Document[CountOf(reader)];
            for (var i = 0; i < documents.Length; i++)
                documents[i] = ReadDocument(reader);
            return reader.BaseStream.Position == bytes.Length ? documents : throw new EndOfStreamException();
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException)
        {
            throw new ElasticException("a piece of a text that was sent is damaged: build the corpus again", e);
        }
    }

    // No more than could follow.
    private static int CountOf(BinaryReader reader) => reader.ReadInt32() is var count
        && count >= 0 && count <= reader.BaseStream.Length - reader.BaseStream.Position ? count : throw new EndOfStreamException();

    private static Document ReadDocument(BinaryReader reader)
    {
        var (source, text, prompt, language, start) = (
            reader.ReadString(), reader.ReadString(), reader.ReadString(), reader.ReadString(), reader.ReadString());
        var document = new Document(source, "", text)
        {
            Prompt = reader.ReadBoolean() ? prompt : null,
            Language = language.Length > 0 ? language : null,
            LineStart = start.Length == 0 ? null : Digest.IsDigest(start) ? new Digest(start) : throw new FormatException(),
            IsValidation = reader.ReadBoolean(),
            IsContinued = reader.ReadBoolean(),
        };
        var pieces = new ChatPiece[CountOf(reader)];
        for (var i = 0; i < pieces.Length; i++)
            pieces[i] = new ChatPiece((ChatPieceKind)reader.ReadByte(), reader.ReadString(), reader.ReadBoolean());
        return pieces.Length > 0 ? document with { Pieces = pieces } : document;
    }
}
