using System.Text;
using System.Text.Json;
using Elastic.Foundation;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Corpus.Build;

/// <summary>
/// A piece that another machine has read, looked at before it is stored: whatever is wrong with it would otherwise end the build when its
/// documents are decided about, and again with each new attempt. Used once.
/// </summary>
/// <param name="texts">Path of the file of texts.</param>
/// <param name="documents">Path of the file of documents.</param>
internal sealed class ReceivedPiece(SourcePiece piece, BuildManifest manifest, string texts, string documents)
{
    // A document's line has no text: its longest parts are sketches, of which a long text that an evaluation set has too has most.
    internal const int MostLineBytes = 256 << 20;

    private readonly string _source = manifest.Sources[piece.Source].Name;
    private readonly int _stages = manifest.Stages.Count;
    private byte[] _buffer = [];
    private ReadOnlyMemory<byte> _frame;
    private long _begins, _ends;                                       // where that frame is in its file
    private int _at;                                                   // bytes of it that are some document's

    /// <summary>Reads all of it.</summary>
    /// <exception cref="ElasticException">It is no piece of that source under that manifest.</exception>
    public void Check()
    {
        try
        {
            using var file = File.OpenHandle(texts);
            var (number, takenDown, withoutUrl) = (0L, 0L, 0L);
            foreach (var (line, isLast) in PieceLines.Lines(documents, MostLineBytes, why => new InvalidDataException(why), default))
            {
                number++;
                if (isLast)
                {
                    Check(PieceLines.Parse<PieceSummary>(line), number - 1, takenDown, withoutUrl);
                    continue;
                }
                var document = PieceLines.Parse<PieceDocument>(line);
                if (Problem(document, file) is { } problem)
                    throw new InvalidDataException($"document {number}: {problem}");
                takenDown += document.TakenDown ? 1 : 0;
                withoutUrl += document.Facts.Url is null ? 1 : 0;
            }
            if (_at != _frame.Length || _ends != RandomAccess.GetLength(file))
                throw new InvalidDataException("it has texts of no document");
        }
        catch (Exception e) when (e is InvalidDataException or JsonException)
        {
            throw new ElasticException($"what another node has read of {piece.File.Name} is no piece of it ({OneLine.Of(e.Message)})", e);
        }
    }

    private static void Check(PieceSummary summary, long documents, long takenDown, long withoutUrl)
    {
        long[] counts =
        [
            summary.BytesRead, summary.Empty, summary.InvalidUtf8Sequences, summary.Malformed, summary.LostBytes, summary.Unread,
        ];
        if (summary.Documents != documents || summary.TakenDown != takenDown || summary.WithoutUrl != withoutUrl
            || counts.Any(c => c < 0) || summary.Rejects.Count > ReadStatistics.MalformedKept
            || summary.Passed.Count > ReadStatistics.MalformedKept
            || (summary.Malformed > 0 && summary.Rejects.Count == 0) || summary.Rejects.Any(r => r is not { Line: not null, Records: > 0 })
            || summary.Passed.Any(p => p is null))
            throw new InvalidDataException("its summary is of something else");
    }

    // Null where it is sound. What a document says of itself may be wrong all the same: only who reads the source again would know.
    private string? Problem(PieceDocument document, SafeFileHandle file)
    {
        var facts = document.Facts;
        if (facts.Source != _source || !Enum.IsDefined(facts.Format))
            return $"it is of the source {OneLine.Of(facts.Source, 80)}";
        if (document.Signals.Count != _stages || document.Sketches.Count != _stages)
            return $"it has passed {document.Signals.Count} stages, and there are {_stages}";
        if (document.Bytes < 0 || document.Lot is not (>= 0 and < 1) || (document.TakenDown && document.Bytes > 0))
            return "its numbers are none of a document";
        var characters = 0;
        if (document.Bytes > 0)
        {
            if (document.Frame != _begins || _frame.IsEmpty)
                Open(document.Frame, file);
            if (document.At != _at || document.Bytes > _frame.Length - _at)
                return "its text is not where it says";
            characters = Encoding.UTF8.GetCharCount(_frame.Span.Slice(_at, document.Bytes));
            _at += document.Bytes;
        }
        foreach (var (i, planned) in manifest.Stages.Index())
        {
            if (document.Signals[i] is { } signals && signals.Length != planned.Stage.Signals.Count)
                return $"the stage {planned.Kind.Name} has measured {signals.Length} numbers";
            if (document.Sketches[i] is { Length: > 0 } sketch
                && (planned.Stage as SketchingStage)?.IsSketch(sketch, characters) != true)
                return $"the stage {planned.Kind.Name} makes no such sketch";
        }
        return null;
    }

    // Frames follow each other, and each of them is used up.
    private void Open(long frame, SafeFileHandle file)
    {
        if (frame != _ends || _at != _frame.Length)
            throw new InvalidDataException("its texts do not follow each other");
        // A frame ends with the document that fills it, which is no longer than the file may become.
        var most = TextFrames.FrameBytes + ReadLimits.MostUnpacked(piece.Bytes);
        (_begins, _at) = (frame, 0);
        (_frame, _ends) = TextFrames.Read(file, frame, most, ref _buffer);
    }
}
