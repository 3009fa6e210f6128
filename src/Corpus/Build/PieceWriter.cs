using System.Buffers.Binary;
using System.Text;
using Elastic.Foundation;
using ZstdSharp;

namespace Elastic.Corpus.Build;

/// <summary>Writes the two files of a piece: <see cref="TextFrames"/>, and <see cref="PieceLines"/> packed by Zstandard.</summary>
/// <param name="texts">Path of the file of texts, which is made.</param>
/// <param name="documents">Path of the file of documents, which is made.</param>
internal sealed class PieceWriter(string texts, string documents) : IDisposable
{
    private readonly FileStream _texts = new(texts, FileMode.CreateNew, FileAccess.Write, FileShare.None);
    private readonly Compressor _packing = new(TextFrames.Level);
    private readonly MemoryStream _frame = new();
    private readonly CompressionStream _documents = new(
        new FileStream(documents, FileMode.CreateNew, FileAccess.Write, FileShare.None), TextFrames.Level, leaveOpen: false);

    /// <summary>Appends a document; where its text is, is noted here.</summary>
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
        if (_frame.Length >= TextFrames.FrameBytes)
            FlushFrame();
    }

    /// <summary>Writes what is left. Nothing is complete before the writer is disposed of.</summary>
    public void Complete(PieceSummary summary)
    {
        FlushFrame();
        WriteLine(PieceLines.Of(summary));
    }

    /// <inheritdoc/>
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
