using Elastic.Foundation;

namespace Elastic.Simulation;

/// <summary>The blobs of one node. Collects as BlobStore does.</summary>
/// <param name="contents">The chunks of each vector set that has some; the same for all nodes, since a set is named by its bytes.</param>
public sealed class VirtualBlobs(Dictionary<Digest, Digest[]> contents)
{
    private readonly HashSet<Digest> _there = [];
    private readonly Dictionary<Digest, int> _fresh = [];
    private int _round;

    public void Begin(int round)
    {
        if (round < _round)
            foreach (var later in _fresh.Where(f => f.Value > round).Select(f => f.Key).ToList())
                _fresh.Remove(later);
        _round = round;
    }

    public void Add(Digest blob)
    {
        _there.Add(blob);
        _fresh[blob] = _round;
    }

    public bool Has(Digest blob) => _there.Contains(blob);

    /// <summary>The blobs of a vector set: itself, then its chunks.</summary>
    public IEnumerable<Digest> BlobsOf(Digest set) => contents.GetValueOrDefault(set, []).Prepend(set);

    public bool IsWhole(Digest set) => BlobsOf(set).All(_there.Contains);

    public void Retain(IEnumerable<Digest> sets, int round)
    {
        var keep = sets.Where(_there.Contains).SelectMany(BlobsOf).ToHashSet();
        _there.RemoveWhere(blob => !keep.Contains(blob) && !(_fresh.TryGetValue(blob, out var writtenFor) && writtenFor >= round));
    }

    /// <summary>Loses one blob, as when a disk is faulty or a file is deleted.</summary>
    public void Lose(Random chance)
    {
        if (_there.Count > 0)
            _there.Remove(_there.OrderBy(d => d.Hex, StringComparer.Ordinal).ElementAt(chance.Next(_there.Count)));
    }
}
