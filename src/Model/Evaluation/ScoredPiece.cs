using System.Buffers.Binary;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Model.Evaluation;

/// <summary>
/// A piece of a text that one node scores: rows as bytes, little-endian. For each row the number of its elements, then how many of them are
/// scored, then the elements (<see cref="SampleElement"/>).
/// </summary>
public static class ScoredPiece
{
    // Seconds of work on a processor for a model of a hundred million parameters.
    private const int EnoughElements = 16_384;

    // As many scores go into one message.
    private const int MostRows = 2048;

    private const int HeadInts = 2;

    /// <summary>Bytes of a piece, at most: it ends with the row by which it has enough.</summary>
    /// <param name="context">Tokens that the model sees at once.</param>
    public static int MostBytes(int context) => sizeof(int) * (EnoughElements + context + 1 + MostRows * HeadInts);

    /// <summary>Cuts rows into pieces, in order. Which rows are scored together changes no bit of a score.</summary>
    public static IEnumerable<IReadOnlyList<T>> Cut<T>(IEnumerable<T> rows, Func<T, ScoredRow> row)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(row);
        return Pieces();

        IEnumerable<IReadOnlyList<T>> Pieces()
        {
            var (piece, elements) = (new List<T>(), 0);
            foreach (var next in rows)
            {
                piece.Add(next);
                elements += row(next).Tokens.Length;
                if (elements < EnoughElements && piece.Count < MostRows)
                    continue;
                yield return piece;
                (piece, elements) = ([], 0);
            }
            if (piece.Count > 0)
                yield return piece;
        }
    }

    /// <summary>The bytes of a piece.</summary>
    public static byte[] Write(IReadOnlyList<ScoredRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var bytes = new byte[sizeof(int) * rows.Sum(r => HeadInts + r.Tokens.Length)];
        var at = 0;
        foreach (var row in rows)
        {
            foreach (var number in (ReadOnlySpan<int>)[row.Tokens.Length, row.Scored, .. row.Tokens.Span])
            {
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), number);
                at += sizeof(int);
            }
        }
        return bytes;
    }

    /// <summary>The rows of a piece that came from another node.</summary>
    /// <exception cref="InvalidDataException">It is none for this model.</exception>
    public static IReadOnlyList<ScoredRow> Read(ReadOnlySpan<byte> bytes, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var rows = new List<ScoredRow>();
        for (var at = 0; at < bytes.Length;)
        {
            var (length, scored) = (bytes.Length - at) / sizeof(int) < HeadInts
                ? (0, 0)
                : (BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]),
                    BinaryPrimitives.ReadInt32LittleEndian(bytes[(at + sizeof(int))..]));
            at += HeadInts * sizeof(int);
            if (length < 2 || length > model.Context + 1 || scored < 1 || scored >= length || rows.Count == MostRows
                || length > (bytes.Length - at) / sizeof(int))
                throw new InvalidDataException($"row {rows.Count} of the piece of text is none of a model of {model.Context} tokens");
            var elements = new int[length];
            foreach (ref var element in elements.AsSpan())
            {
                element = BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);
                at += sizeof(int);
                if (!SampleElement.IsValid(element, model.Vocabulary))
                    throw new InvalidDataException($"the piece of text holds the token {element} of a vocabulary of {model.Vocabulary}");
            }
            rows.Add(new ScoredRow(elements, scored));
        }
        return rows;
    }
}
