using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.Nccl;

namespace Elastic.Torch;

// A device's part in a collective of devices that do not read each other's memory.
internal sealed partial class TorchDevice
{
    private readonly List<PiecedVector> _rooms = [];

    /// <summary>
    /// <see cref="FoldSlice"/> where devices do not read each other's memory: each sends the others their slices of its roots. What
    /// <see cref="UpdateSlice"/> changes then stays here until <see cref="Gather"/>.
    /// </summary>
    /// <param name="roots">Roots of each rank.</param>
    /// <param name="slices">Slice of each rank.</param>
    public double[] FoldSent(
        IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int totalMicroBatches, IReadOnlyList<Slice> slices, NcclRank nccl)
    {
        _sends = true;
        return OnDevice(() =>
        {
            var own = slices[nccl.Rank];
            // Room for what comes is made before: within an exchange this thread asks the GPU for nothing.
            var (all, came) = (new List<(int Rank, SubtreeRoot Root)>(), 0);
            for (var rank = 0; rank < nccl.Count; rank++)
            {
                foreach (var root in roots[rank])
                    all.Add((rank, rank == nccl.Rank ? root : root with { Gradient = Room(came++, own) }));
            }
            nccl.Exchange("the exchange of gradients", () =>
            {
                foreach (var (rank, root) in all)
                {
                    var gradient = (PiecedVector)root.Gradient;
                    if (rank == nccl.Rank)
                        Send(gradient, slices, nccl);
                    else
                    {
                        nccl.Receive(gradient.Pieces[0], own, rank);
                        if (gradient.Rows is { } rows)
                            nccl.Receive(rows, rows.First, rows.Length - rows.First, rank);
                    }
                }
            });
            return own.Tiles == 0 ? [] : Fold([.. all.Select(a => a.Root)], totalMicroBatches, own);
        });
    }

    /// <summary>
    /// After an update: gives all devices this one's slice of the parameters, and that on which the replica's vectors lie those of all
    /// vectors that the update changed.
    /// </summary>
    /// <param name="slices">Slice of each rank.</param>
    public void Gather(IReadOnlyList<Slice> slices, NcclRank nccl) => OnDevice(() =>
    {
        var (own, home) = (slices[nccl.Rank], nccl.RankOf(((TorchVector)Vectors.Parameters).Gpu));
        Invariant.Holds(home >= 0, "the replica's vectors lie on one of its devices");
        // The copies of the update, though all devices have changed the vectors since they were made.
        var parameters = _updated[VectorSet.Parameters];
        var others = _updated.Where(u => u.Key != VectorSet.Parameters).OrderBy(u => u.Key, StringComparer.Ordinal).ToList();
        nccl.Exchange("the all-gather", () =>
        {
            nccl.SendToOthers(parameters, own);
            for (var rank = 0; rank < nccl.Count; rank++)
            {
                if (rank == nccl.Rank)
                    continue;
                nccl.Receive(parameters, slices[rank], rank);
                foreach (var (_, vector) in others)
                {
                    if (rank == home)
                        nccl.Send(vector, own, home);
                    else if (nccl.Rank == home)
                        nccl.Receive(vector, slices[rank], rank);
                }
            }
        });
        foreach (var (name, vector) in _updated)
            _copies.Renew(Vectors, name, vector);
        return true;
    });

    private void Send(PiecedVector gradient, IReadOnlyList<Slice> slices, NcclRank nccl)
    {
        nccl.SendToOthers(gradient.Pieces[0], slices);
        for (var to = 0; to < nccl.Count; to++)
        {
            if (to != nccl.Rank && RowsIn(slices[to]) is var (first, count))
                nccl.Send(gradient.Rows!, first, count, to);
        }
    }

    // Which elements of a slice get rows of a tied embedding on top.
    private (long First, long Count)? RowsIn(Slice slice)
    {
        if (_apart is null)
            return null;
        var first = Math.Max(_apart.Offset, slice.First);
        var count = Math.Min(_apart.Offset + _apart.Count, slice.First + slice.Count) - first;
        return count > 0 ? (first, count) : null;
    }

    // Where a slice of a root of another rank arrives: as many as there were at most, of one size.
    private PiecedVector Room(int index, Slice slice)
    {
        if (_rooms.Count > 0 && (_rooms[0].Pieces[0].First, _rooms[0].Pieces[0].Length) != (slice.First, slice.First + slice.Count))
        {
            _rooms.ForEach(r => r.Dispose());
            _rooms.Clear();
        }
        while (_rooms.Count <= index)
            _rooms.Add(new PiecedVector(
                Layout.TrainedLength, [new TorchVector(slice.First, slice.Count, _device, _gpu)],
                RowsIn(slice) is var (first, count) ? new TorchVector(first, count, _device, _gpu) : null));
        return _rooms[index];
    }
}
