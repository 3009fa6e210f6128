using System.Runtime.InteropServices;
using Elastic.Foundation;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Corpus.Build;

/// <summary>
/// The texts of a build's documents by their numbers: a table on the disk says where each one is, and the frames that were unpacked last
/// are kept. Not thread-safe.
/// </summary>
public sealed class DocumentTexts : IDisposable
{
    private readonly PieceStore _store;
    private readonly IReadOnlyList<SourcePiece> _pieces;
    private readonly string _path;
    private readonly int[] _longestFrames;

    // Read and not mapped: pages of a mapped file count as memory of the process, more of them the larger the corpus.
    private readonly SafeFileHandle _places;
    private readonly Dictionary<(int Piece, long Frame), LinkedListNode<KnownFrame>> _frames = [];
    private readonly LinkedList<KnownFrame> _recent = [];

    /// <param name="folder">Takes the table.</param>
    /// <param name="cancel">Ends the making of the table.</param>
    public DocumentTexts(PieceStore store, IReadOnlyList<SourcePiece> pieces, string folder, CancellationToken cancel)
    {
        (_store, _pieces, _path) = (store, pieces, Path.Combine(folder, "places"));
        _longestFrames = new int[pieces.Count];
        Directory.CreateDirectory(folder);
        using (var file = new FileStream(_path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            foreach (var (number, piece) in pieces.Index())
            {
                foreach (var document in store.Documents(piece, cancel))
                {
                    _longestFrames[number] = document.LongerFrame(_longestFrames[number]);
                    var place = new Place(document.Frame, number, document.At, document.Bytes);
                    file.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<Place>(in place)));
                }
            }
        }
        _places = File.OpenHandle(_path);
    }

    /// <summary>Of each piece, see <see cref="PieceDocument.LongerFrame"/>.</summary>
    public IReadOnlyList<int> LongestFrames => _longestFrames;

    /// <summary>Frames that are kept: about as many megabytes.</summary>
    internal int FramesKept { get; init; } = 64;

    /// <summary>The text of a document, after all stages.</summary>
    public string this[long number]
    {
        get
        {
            var place = default(Place);
            var bytes = MemoryMarshal.AsBytes(new Span<Place>(ref place));
            if (RandomAccess.Read(_places, bytes, number * bytes.Length) < bytes.Length)
                throw new ElasticException($"{_path} was cut short while it was used: give the same command again");
            return TextFrames.TextOf(Frame(place.Piece, place.Frame), place.At, place.Bytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _places.Dispose();
        File.Delete(_path);
    }

    private ReadOnlyMemory<byte> Frame(int piece, long frame)
    {
        if (_frames.TryGetValue((piece, frame), out var known))
        {
            _recent.Remove(known);
            _recent.AddLast(known);
            return known.Value.Bytes;
        }
        byte[] buffer = [];
        if (_recent.Count == FramesKept)
        {
            var oldest = _recent.First!.Value;
            // That of a long text is too large for the usual ones.
            buffer = oldest.Buffer.Length > TextFrames.UsualBytes ? [] : oldest.Buffer;
            _frames.Remove(oldest.Key);
            _recent.RemoveFirst();
        }
        var bytes = _store.Frame(_pieces[piece], frame, _longestFrames[piece], ref buffer);
        _frames[(piece, frame)] = _recent.AddLast(new KnownFrame((piece, frame), bytes, buffer));
        return bytes;
    }

    private sealed record KnownFrame((int Piece, long Frame) Key, ReadOnlyMemory<byte> Bytes, byte[] Buffer);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Place(long Frame, int Piece, int At, int Bytes);
}
