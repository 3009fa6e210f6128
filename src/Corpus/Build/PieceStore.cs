using System.Buffers.Binary;
using System.Collections.Concurrent;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// Pieces that were read, in a folder: of each one the texts, and the documents' facts and signals. A piece is there as a whole or not at
/// all: the file of documents is made last, and both are renamed into place.
/// </summary>
public sealed class PieceStore
{
    /// <summary>Bytes of a file of texts or documents, at most: they are packed, and one of more is no piece of a corpus.</summary>
    public const long MostBytes = 1L << 42;

    // Text that was packed as a whole is packed again a megabyte at a time, and a document of a few bytes has sketches of some hundred.
    private const int MostBytesEach = 256, Room = 1 << 24;

    private const string TextsEnd = ".texts", DocumentsEnd = ".documents.jsonl.zst";

    // Of a summary that is kept in memory: files in which nothing is wrong are most of them.
    private const int LinesKept = 4;

    // The last lines of files that have not changed since: a build asks for each several times, and a file is unpacked to its end for it.
    private readonly ConcurrentDictionary<Digest, ((DateTime Written, long Bytes) State, PieceSummary Summary)> _summaries = [];

    private readonly string _folder;
    private readonly Action<string>? _step;

    /// <param name="folder">Made where it is missing.</param>
    /// <param name="step">See <see cref="CorpusBuilder.Step"/>.</param>
    public PieceStore(string folder, Action<string>? step = null)
    {
        Directory.CreateDirectory(folder);
        (_folder, _step) = (folder, step);
    }

    /// <summary>True where the piece was read already.</summary>
    public bool Has(SourcePiece piece) => Has(piece.Identity);

    /// <summary>Reads a piece through the stages and stores it. Safe to be called for several pieces at once.</summary>
    /// <returns>What reading found.</returns>
    /// <exception cref="ElasticException">The file cannot be read, or has changed since it was named.</exception>
    public PieceSummary Read(SourcePiece piece, BuildManifest manifest, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(piece);
        ArgumentNullException.ThrowIfNull(manifest);
        string texts = DurableFile.TemporaryPath(TextsPath(piece)), documents = DurableFile.TemporaryPath(DocumentsPath(piece));
        try
        {
            PieceSummary summary;
            using (var writer = new PieceWriter(texts, documents))
                summary = new PieceReader(piece, manifest, _step, cancel).Read(writer);
            Keep(texts, documents, piece);
            return summary;
        }
        finally
        {
            File.Delete(texts);
            File.Delete(documents);
        }
    }

    /// <summary>True where the stored piece lacks what the manifest takes down, and nothing else.</summary>
    public bool Agrees(SourcePiece piece, TakeDowns takeDowns, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(takeDowns);
        return takeDowns.IsEmpty ? Summary(piece, cancel).TakenDown == 0
            : Documents(piece, cancel).All(d => d.TakenDown == takeDowns.Cover(d.Facts));
    }

    /// <summary>Deletes all pieces that hold what is taken down, whichever builds they are of.</summary>
    public void Purge(TakeDowns takeDowns, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(takeDowns);
        if (takeDowns.IsEmpty)
            return;
        foreach (var path in Directory.GetFiles(_folder, "*" + DocumentsEnd))
        {
            if (!Lines(path, cancel).Any(l => !l.IsLast && PieceLines.Read<PieceDocument>(l.Line, path) is { TakenDown: false } d
                && takeDowns.Cover(d.Facts)))
                continue;
            File.Delete(path);
            File.Delete(path[..^DocumentsEnd.Length] + TextsEnd);
        }
        // An interruption between the two leaves the texts.
        foreach (var orphan in Directory.GetFiles(_folder, "*" + TextsEnd).Where(
            path => !File.Exists(path[..^TextsEnd.Length] + DocumentsEnd)))
            File.Delete(orphan);
        DurableFile.FlushFolder(_folder);
    }

    /// <summary>What <see cref="Write"/> writes of some pieces, bytes at most: another machine's word alone would fill the disk.</summary>
    public static long MostBytesOf(IEnumerable<SourcePiece> pieces) =>
        pieces.Aggregate(0L, (sum, piece) => Math.Min(MostBytes, sum + MostBytesOf(piece.Bytes)));

    /// <summary>Bytes of a file of texts or documents that is read of a file of so many bytes, at most.</summary>
    internal static long MostBytesOf(long bytes) => Math.Min(MostBytes, Room + MostBytesEach * Math.Min(bytes, MostBytes));

    /// <summary>
    /// Writes a piece that is here behind what is in a stream, for <see cref="TakeIn(SourcePiece, BuildManifest, Stream)"/> of another
    /// store.
    /// </summary>
    public void Write(SourcePiece piece, Stream into)
    {
        ArgumentNullException.ThrowIfNull(into);
        Span<byte> length = stackalloc byte[sizeof(long)];
        foreach (var path in new[] { TextsPath(piece), DocumentsPath(piece) })
        {
            using var file = File.OpenRead(path);
            BinaryPrimitives.WriteInt64LittleEndian(length, file.Length);
            into.Write(length);
            file.CopyTo(into);
        }
    }

    /// <summary>Takes a piece in that another machine has read; looks at all of it before.</summary>
    /// <param name="from">At what <see cref="Write"/> wrote, checked by its digest; afterwards behind it.</param>
    /// <exception cref="ElasticException">It is no piece, or the file has changed since it was named.</exception>
    public void TakeIn(SourcePiece piece, BuildManifest manifest, Stream from)
    {
        ArgumentNullException.ThrowIfNull(piece);
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(from);
        string texts = DurableFile.TemporaryPath(TextsPath(piece)), documents = DurableFile.TemporaryPath(DocumentsPath(piece));
        try
        {
            Copy(from, texts);
            Copy(from, documents);
            new ReceivedPiece(piece, manifest, texts, documents).Check();
            Keep(texts, documents, piece);
        }
        catch (EndOfStreamException e)
        {
            throw new ElasticException($"a piece of {piece.File.Name} that another node has read is cut short: build again", e);
        }
        finally
        {
            File.Delete(texts);
            File.Delete(documents);
        }
    }

    /// <summary>Where the texts and the documents of a piece are that is here.</summary>
    public (string Texts, string Documents) PathsOf(Digest piece) => (TextsPath(piece), DocumentsPath(piece));

    /// <summary>True where the piece is here.</summary>
    public bool Has(Digest piece) => File.Exists(DocumentsPath(piece));

    /// <summary>Takes the files of a piece in that another machine has, checked by their digests; they are gone afterwards.</summary>
    public void TakeIn(Digest piece, string texts, string documents) => Keep(texts, documents, piece);

    /// <summary>Forgets a piece.</summary>
    public void Remove(SourcePiece piece)
    {
        File.Delete(DocumentsPath(piece));
        File.Delete(TextsPath(piece));
    }

    /// <summary>The documents of a piece in their order.</summary>
    /// <param name="cancel">Looked at with each of them.</param>
    public IEnumerable<PieceDocument> Documents(SourcePiece piece, CancellationToken cancel = default)
    {
        var path = DocumentsPath(piece);
        foreach (var (line, isLast) in Lines(path, cancel))
        {
            if (!isLast)
                yield return PieceLines.Read<PieceDocument>(line, path);
        }
    }

    /// <summary>What reading the piece found.</summary>
    public PieceSummary Summary(SourcePiece piece, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(piece);
        var file = new FileInfo(DocumentsPath(piece));
        var state = file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
        if (_summaries.TryGetValue(piece.Identity, out var known) && known.State == state)
            return known.Summary;
        var summary = PieceLines.Read<PieceSummary>(Lines(file.FullName, cancel).Last().Line, file.FullName);
        if (summary.Rejects.Count + summary.Passed.Count <= LinesKept)
            _summaries[piece.Identity] = (state, summary);
        return summary;
    }

    /// <summary>
    /// The texts of some documents of a piece, each beside its document, in the order given: fastest in their own. A file that is read
    /// whole may have more documents than memory holds.
    /// </summary>
    /// <param name="most">See <see cref="PieceDocument.LongerFrame"/>: of all documents of the piece.</param>
    /// <exception cref="ElasticException">The file is damaged.</exception>
    public IEnumerable<(PieceDocument Document, string Text)> WithTexts(
        SourcePiece piece, IEnumerable<PieceDocument> documents, int most)
    {
        ArgumentNullException.ThrowIfNull(documents);
        return Read();

        IEnumerable<(PieceDocument, string)> Read()
        {
            var (frame, unpacked, buffer) = (-1L, ReadOnlyMemory<byte>.Empty, Array.Empty<byte>());
            foreach (var document in documents)
            {
                if (document.Bytes > 0 && document.Frame != frame)
                    (frame, unpacked) = (document.Frame, Frame(piece, document.Frame, most, ref buffer));
                yield return (document, document.Bytes == 0 ? "" : TextFrames.TextOf(unpacked, document.At, document.Bytes));
            }
        }
    }

    /// <summary>Texts that are packed together, unpacked.</summary>
    /// <param name="frame">Where they begin in the piece's file.</param>
    /// <param name="most">See <see cref="PieceDocument.LongerFrame"/>: of all documents of the piece.</param>
    /// <param name="buffer">See <see cref="TextFrames.Read"/>.</param>
    /// <exception cref="ElasticException">The file is damaged.</exception>
    internal ReadOnlyMemory<byte> Frame(SourcePiece piece, long frame, int most, ref byte[] buffer)
    {
        var path = TextsPath(piece);
        try
        {
            using var file = File.OpenHandle(path);
            return TextFrames.Read(file, frame, most, ref buffer).Texts;
        }
        catch (InvalidDataException e)
        {
            throw Damaged(path, e.Message);
        }
    }

    private static void Copy(Stream from, string path)
    {
        var buffer = new byte[1 << 16];
        from.ReadExactly(buffer, 0, sizeof(long));
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        for (var left = BinaryPrimitives.ReadInt64LittleEndian(buffer); left != 0;)
        {
            var count = from.Read(buffer, 0, (int)Math.Clamp(left, 0, buffer.Length));
            if (count == 0)
                throw new EndOfStreamException();
            file.Write(buffer, 0, count);
            left -= count;
        }
    }

    // What is stored is never read again: a build that is interrupted before it has looked at the whole file would leave it for good.
    private void Keep(string texts, string documents, SourcePiece piece)
    {
        piece.File.CheckPartUnchanged();
        Keep(texts, documents, piece.Identity);
    }

    private void Keep(string texts, string documents, Digest piece)
    {
        DurableFile.Flush(texts);
        DurableFile.Flush(documents);
        File.Move(texts, TextsPath(piece), overwrite: true);
        _step?.Invoke("keeps a piece");
        File.Move(documents, DocumentsPath(piece), overwrite: true);
        DurableFile.FlushFolder(_folder);
    }

    private static ElasticException Damaged(string path, string why) =>
        new($"{path} is damaged ({why}): delete it, and the file of the same name beside it, and give the same command again");

    private static IEnumerable<(byte[] Line, bool IsLast)> Lines(string path, CancellationToken cancel) =>
        PieceLines.Lines(path, int.MaxValue, why => Damaged(path, why), cancel);

    private string TextsPath(SourcePiece piece) => TextsPath(piece.Identity);

    private string DocumentsPath(SourcePiece piece) => DocumentsPath(piece.Identity);

    private string TextsPath(Digest piece) => Path.Combine(_folder, piece.Hex + TextsEnd);

    private string DocumentsPath(Digest piece) => Path.Combine(_folder, piece.Hex + DocumentsEnd);
}
