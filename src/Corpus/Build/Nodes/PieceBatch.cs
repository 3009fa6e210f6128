using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>Pieces that a node reads in one go: an order for each of a million small files would take longer than to read them.</summary>
public static class PieceBatch
{
    /// <summary>Bytes of the description of a batch, at most.</summary>
    public const int MostBytes = 16 << 20;

    private const int MostPieces = 256;

    // Of their files: some seconds of reading. A larger file is a batch of its own.
    private const long EnoughBytes = 16L << 20;

    // So that all nodes get some of a few files.
    private const int LeastBatches = 64;

    /// <summary>Cuts pieces into batches, in their order.</summary>
    public static IEnumerable<IReadOnlyList<SourcePiece>> Cut(IReadOnlyList<SourcePiece> pieces)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        var most = Math.Clamp(pieces.Count / LeastBatches, 1, MostPieces);
        var (batch, bytes) = (new List<SourcePiece>(), 0L);
        foreach (var piece in pieces)
        {
            if (batch.Count > 0 && (batch.Count == most || bytes + piece.Bytes > EnoughBytes))
            {
                yield return batch;
                (batch, bytes) = ([], 0);
            }
            batch.Add(piece);
            bytes += piece.Bytes;
        }
        if (batch.Count > 0)
            yield return batch;
    }

    /// <summary>Describes a batch for another machine.</summary>
    public static byte[] Write(IReadOnlyList<SourcePiece> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return PieceLines.Of(batch.Select(SharedPiece.Of).ToArray());
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    /// <exception cref="ElasticException">It is no description of pieces.</exception>
    public static IReadOnlyList<SharedPiece> Read(ReadOnlySpan<byte> bytes)
    {
        var read = PieceLines.Read<SharedPiece[]>(bytes, "the description of some pieces");
        return read.Length is > 0 and <= MostPieces && read.All(piece => piece?.IsSound == true) ? read
            : throw new ElasticException("the description of some pieces is damaged: build the corpus again");
    }
}
