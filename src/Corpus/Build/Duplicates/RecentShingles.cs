namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// The shingles of documents, those that were made last kept: duplicates of one document often stand together. Their number is bounded,
/// whatever the documents' sizes are, and so is the memory. Not thread-safe.
/// </summary>
/// <param name="make">Makes those of a document by its number.</param>
internal sealed class RecentShingles(Func<long, HashSet<ulong>> make)
{
    private const int MostDocuments = 256;

    private readonly Dictionary<long, HashSet<ulong>> _known = [];
    private readonly Queue<long> _order = new();
    private long _held;

    /// <summary>Shingles of all documents together: some 250 MB. The two that are compared are kept, however large they are.</summary>
    public long Most { get; init; } = 8 << 20;

    /// <summary>Documents whose shingles are kept.</summary>
    public int Documents => _order.Count;

    public HashSet<ulong> this[long number]
    {
        get
        {
            if (_known.TryGetValue(number, out var shingles))
                return shingles;
            shingles = make(number);
            while (_order.Count == MostDocuments || (_order.Count > 1 && _held + shingles.Count > Most))
            {
                _known.Remove(_order.Dequeue(), out var oldest);
                _held -= oldest!.Count;
            }
            _order.Enqueue(number);
            _held += shingles.Count;
            return _known[number] = shingles;
        }
    }
}
