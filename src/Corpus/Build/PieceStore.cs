using System.Buffers.Binary;
using System.Text;
using Elastic.Foundation;
using ZstdSharp;

namespace Elastic.Corpus.Build;

/// <summary>
/// Pieces that were read, in a folder: of each one the texts, and the documents' facts and signals. A piece is there as a whole or not at
/// all: the file of documents is made last, and both are renamed into place.
/// </summary>
public sealed class PieceStore
{
    /// <summary>Bytes of a file of texts or documents, at most: they are packed, and one of more is no piece of a corpus.</summary>
    public const long MostBytes = 1L << 42;

    // Enough for a good compression, and little to unpack for one document.
    private const int FrameBytes = 1 << 20;

    /// <summary>Bytes that hold all frames but those that end with a long text.</summary>
    internal const int UsualFrameBytes = FrameBytes + (FrameBytes >> 3);

    // What Zstandard's programs take by default.
    private const int Level = 3;

    private const string TextsEnd = ".texts", DocumentsEnd = ".documents.jsonl.zst";

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
        var statistics = new ReadStatistics();
        string texts = DurableFile.TemporaryPath(TextsPath(piece)), documents = DurableFile.TemporaryPath(DocumentsPath(piece));
        try
        {
            PieceSummary summary;
            using (var writer = new PieceWriter(texts, documents))
            {
                var takenDown = 0L;
                var file = piece.File with { Cancel = cancel };
                foreach (var document in DocumentReader.Read(file, statistics))
                {
                    cancel.ThrowIfCancellationRequested();
                    _step?.Invoke(BuildWatch.Reads);
                    var read = Through(document, piece, manifest, cancel);
                    takenDown += read.Document.TakenDown ? 1 : 0;
                    writer.Append(read);
                    if (statistics.Documents < piece.Limit)
                        continue;
                    file.CheckUnchanged(file.Hash());
                    break;
                }
                // A library that takes the word to stop for damage ends a file early: nothing of that is kept.
                cancel.ThrowIfCancellationRequested();
                summary = PieceSummary.Of(statistics) with { TakenDown = takenDown };
                writer.Complete(summary);
            }
            Keep(texts, documents, piece.Identity);
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

    /// <summary>
    /// Writes a piece that is here behind what is in a stream, for <see cref="TakeIn(SourcePiece, Stream)"/> of another store.
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

    /// <summary>Takes a piece in that another machine has read.</summary>
    /// <param name="from">At what <see cref="Write"/> wrote, checked by its digest; afterwards behind it.</param>
    /// <exception cref="ElasticException">It is no piece.</exception>
    public void TakeIn(SourcePiece piece, Stream from)
    {
        ArgumentNullException.ThrowIfNull(piece);
        ArgumentNullException.ThrowIfNull(from);
        string texts = DurableFile.TemporaryPath(TextsPath(piece)), documents = DurableFile.TemporaryPath(DocumentsPath(piece));
        try
        {
            Copy(from, texts);
            Copy(from, documents);
            _ = PieceLines.Read<PieceSummary>(Lines(documents, default).Last().Line, documents);
            Keep(texts, documents, piece.Identity);
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
        var path = DocumentsPath(piece);
        return PieceLines.Read<PieceSummary>(Lines(path, cancel).Last().Line, path);
    }

    /// <summary>The texts of some documents of a piece, in the order given: fastest in their own.</summary>
    public IEnumerable<string> Texts(SourcePiece piece, IEnumerable<PieceDocument> documents) =>
        WithTexts(piece, documents).Select(d => d.Text);

    /// <summary>The same, each beside its document: a file that is read whole may have more documents than memory holds.</summary>
    public IEnumerable<(PieceDocument Document, string Text)> WithTexts(SourcePiece piece, IEnumerable<PieceDocument> documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        return Read();

        IEnumerable<(PieceDocument, string)> Read()
        {
            var (frame, unpacked, buffer) = (-1L, ReadOnlyMemory<byte>.Empty, Array.Empty<byte>());
            foreach (var document in documents)
            {
                if (document.Bytes > 0 && document.Frame != frame)
                    (frame, unpacked) = (document.Frame, Frame(piece, document.Frame, ref buffer));
                yield return (document, document.Bytes == 0 ? "" : TextOf(unpacked, document.At, document.Bytes));
            }
        }
    }

    /// <summary>Texts that are packed together, unpacked.</summary>
    /// <param name="frame">Where they begin in the piece's file.</param>
    /// <param name="buffer">Takes them, a larger one in its place where it is too small: an array for each frame is garbage of the size of
    /// the corpus, in the heap that is collected last.</param>
    /// <exception cref="ElasticException">The file is damaged.</exception>
    internal ReadOnlyMemory<byte> Frame(SourcePiece piece, long frame, ref byte[] buffer)
    {
        var path = TextsPath(piece);
        try
        {
            using var file = File.OpenHandle(path);
            using var unpacking = new Decompressor();
            Span<byte> length = stackalloc byte[sizeof(int)];
            if (RandomAccess.Read(file, length, frame) < length.Length)
                throw Damaged(path, "it was cut short");
            var packed = new byte[Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(length), 0, RandomAccess.GetLength(file))];
            if (RandomAccess.Read(file, packed, frame + length.Length) < packed.Length)
                throw Damaged(path, "it was cut short");
            var bytes = Decompressor.GetDecompressedSize(packed);
            if (bytes > (ulong)Array.MaxLength)
                throw Damaged(path, $"a frame of it says that it has {bytes} bytes");
            if (buffer.Length < (int)bytes)
                buffer = new byte[Math.Max((int)bytes, UsualFrameBytes)];
            return buffer.AsMemory(0, unpacking.Unwrap(packed, buffer));
        }
        catch (ZstdException e)
        {
            throw Damaged(path, e.Message);
        }
    }

    /// <summary>A text in an unpacked frame.</summary>
    internal static string TextOf(ReadOnlyMemory<byte> frame, int at, int bytes) => at >= 0 && bytes >= 0 && at <= frame.Length - bytes
        ? Encoding.UTF8.GetString(frame.Span.Slice(at, bytes))
        : throw new ElasticException("a text ends behind its frame: delete the folder of pieces, and give the same command again");

    private (PieceDocument Document, string Text) Through(
        Document document, SourcePiece piece, BuildManifest manifest, CancellationToken cancel)
    {
        var source = manifest.Sources[piece.Source];
        var facts = new DocumentFacts(source.Name, document.Name, document.Format ?? piece.File.Format)
        {
            Line = document.Line,
            Licence = document.Licence ?? source.Licence,
            Language = source.Language ?? document.Language,
            Subset = source.Subsets && document.Source != piece.File.Name ? document.Source : null,
            Url = document.Url,
            Date = document.Date,
            Code = document.Code,
        };
        var (signals, sketches) = (new double[]?[manifest.Stages.Count], new byte[]?[manifest.Stages.Count]);
        if (manifest.TakeDowns.Cover(facts))
            return (new PieceDocument(facts, 0, 0, 0, signals, sketches) { TakenDown = true }, "");
        var draft = new Draft(facts, document.Text) { Cancel = cancel };
        foreach (var (i, planned) in manifest.Stages.Index())
        {
            if (draft.Text.Length == 0 || !planned.Scope.Contains(draft.Facts))
                continue;
            // A document may be large, and a stage slow.
            cancel.ThrowIfCancellationRequested();
            _step?.Invoke(planned.Kind.Name);
            signals[i] = planned.Stage.Read(draft);
            sketches[i] = (planned.Stage as SketchingStage)?.Sketch(draft);
        }
        return (new PieceDocument(draft.Facts, 0, 0, 0, signals, sketches), draft.Text);
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

    private static IEnumerable<(byte[] Line, bool IsLast)> Lines(string path, CancellationToken cancel)
    {
        using var file = File.OpenRead(path);
        using var unpacked = new DecompressionStream(file);
        using var reader = new StreamReader(unpacked, Encoding.UTF8);
        byte[]? before = null;
        while (reader.ReadLine() is { } line)
        {
            cancel.ThrowIfCancellationRequested();
            if (before is not null)
                yield return (before, false);
            before = Encoding.UTF8.GetBytes(line);
        }
        yield return (before ?? throw Damaged(path, "it is empty"), true);
    }

    private string TextsPath(SourcePiece piece) => TextsPath(piece.Identity);

    private string DocumentsPath(SourcePiece piece) => DocumentsPath(piece.Identity);

    private string TextsPath(Digest piece) => Path.Combine(_folder, piece.Hex + TextsEnd);

    private string DocumentsPath(Digest piece) => Path.Combine(_folder, piece.Hex + DocumentsEnd);

    /// <summary>Writes the two files of a piece.</summary>
    private sealed class PieceWriter(string texts, string documents) : IDisposable
    {
        private readonly FileStream _texts = new(texts, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        private readonly Compressor _packing = new(Level);
        private readonly MemoryStream _frame = new();
        private readonly CompressionStream _documents = new(
            new FileStream(documents, FileMode.CreateNew, FileAccess.Write, FileShare.None), Level, leaveOpen: false);

        public void Append((PieceDocument Document, string Text) document)
        {
            var text = Encoding.UTF8.GetBytes(document.Text);
            var line = PieceLines.Of(document.Document with
            {
                Bytes = text.Length,
                Frame = _texts.Position,
                At = (int)_frame.Length,
                Lot = BatchTokenizer.LotOf(Digest.Of(text)),
            });
            _frame.Write(text);
            WriteLine(line);
            if (_frame.Length >= FrameBytes)
                FlushFrame();
        }

        public void Complete(PieceSummary summary)
        {
            FlushFrame();
            WriteLine(PieceLines.Of(summary));
        }

        public void Dispose()
        {
            _texts.Dispose();
            _packing.Dispose();
            _frame.Dispose();
            _documents.Dispose();
        }

        private void WriteLine(byte[] line)
        {
            _documents.Write(line);
            _documents.WriteByte((byte)'\n');
        }

        private void FlushFrame()
        {
            if (_frame.Length == 0)
                return;
            var packed = _packing.Wrap(_frame.GetBuffer().AsSpan(0, (int)_frame.Length));
            Span<byte> length = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(length, packed.Length);
            _texts.Write(length);
            _texts.Write(packed);
            _frame.SetLength(0);
        }
    }
}
