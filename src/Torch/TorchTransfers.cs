using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.Nccl;

namespace Elastic.Torch;

// A device's part in a collective of devices that do not read each other's memory.
internal sealed partial class TorchDevice
{
    private readonly List<TorchVector> _pieces = [];

    /// <summary>
    /// <see cref="FoldSlice"/> where devices do not read each other's memory: each sends the others their slices of its roots. What
    /// <see cref="UpdateSlice"/> changes then stays here until <see cref="Gather"/>.
    /// </summary>
    /// <param name="roots">Of each rank.</param>
    /// <param name="slices">Of each rank.</param>
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
                    all.Add((rank, rank == nccl.Rank ? root : root with { Gradient = Piece(came++, own) }));
            }
            nccl.Exchange("the exchange of gradients", () =>
            {
                foreach (var (rank, root) in all)
                {
                    if (rank == nccl.Rank)
                        nccl.SendToOthers((TorchVector)root.Gradient, slices);
                    else
                        nccl.Receive((TorchVector)root.Gradient, own, rank);
                }
            });
            return own.Tiles == 0 ? [] : Fold([.. all.Select(a => a.Root)], totalMicroBatches, own);
        });
    }

    /// <summary>
    /// After an update: gives all devices this one's slice of the parameters, and that on which the replica's vectors lie those of all
    /// vectors that the update changed.
    /// </summary>
    /// <param name="slices">Of each rank.</param>
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

    // Where the slices of the roots of others arrive: as many as there were at most, of one size.
    private TorchVector Piece(int index, Slice slice)
    {
        if (_pieces.Count > 0 && (_pieces[0].First, _pieces[0].Length) != (slice.First, slice.First + slice.Count))
        {
            _pieces.ForEach(p => p.Dispose());
            _pieces.Clear();
        }
        while (_pieces.Count <= index)
            _pieces.Add(new TorchVector(slice.First, slice.Count, _device, _gpu));
        return _pieces[index];
    }
}
