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
    // About as many megabytes.
    private const int FramesKept = 64;

    private readonly PieceStore _store;
    private readonly IReadOnlyList<SourcePiece> _pieces;
    private readonly string _path;

    // Read and not mapped: pages of a mapped file count as memory of the process, more of them the larger the corpus.
    private readonly SafeFileHandle _places;
    private readonly Dictionary<(int Piece, long Frame), LinkedListNode<((int, long) Key, byte[] Bytes)>> _frames = [];
    private readonly LinkedList<((int, long) Key, byte[] Bytes)> _recent = [];

    /// <param name="folder">Takes the table.</param>
    public DocumentTexts(PieceStore store, IReadOnlyList<SourcePiece> pieces, string folder)
    {
        (_store, _pieces, _path) = (store, pieces, Path.Combine(folder, "places"));
        Directory.CreateDirectory(folder);
        using (var file = new FileStream(_path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            foreach (var (number, piece) in pieces.Index())
            {
                foreach (var document in store.Documents(piece))
                {
                    var place = new Place(document.Frame, number, document.At, document.Bytes);
                    file.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<Place>(in place)));
                }
            }
        }
        _places = File.OpenHandle(_path);
    }

    /// <summary>The text of a document, after all stages.</summary>
    public string this[long number]
    {
        get
        {
            var place = default(Place);
            var bytes = MemoryMarshal.AsBytes(new Span<Place>(ref place));
            if (RandomAccess.Read(_places, bytes, number * bytes.Length) < bytes.Length)
                throw new ElasticException($"{_path} was cut short while it was used: give the same command again");
            return PieceStore.TextOf(Frame(place.Piece, place.Frame), place.At, place.Bytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _places.Dispose();
        File.Delete(_path);
    }

    private byte[] Frame(int piece, long frame)
    {
        if (_frames.TryGetValue((piece, frame), out var known))
        {
            _recent.Remove(known);
            _recent.AddLast(known);
            return known.Value.Bytes;
        }
        if (_recent.Count == FramesKept)
        {
            _frames.Remove(_recent.First!.Value.Key);
            _recent.RemoveFirst();
        }
        var bytes = _store.Frame(_pieces[piece], frame);
        _frames[(piece, frame)] = _recent.AddLast(((piece, frame), bytes));
        return bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Place(long Frame, int Piece, int At, int Bytes);
}
