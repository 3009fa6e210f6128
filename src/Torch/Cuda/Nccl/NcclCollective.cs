using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Torch.Cuda.Nccl;

/// <summary>
/// The collective of GPUs that do not reach each other's memory. Slices of the roots travel through NCCL to their owners, who fold them
/// along the tree with the kernels of one GPU; updated slices travel to all. Sends and receives move bytes and add nothing, so the bits are
/// those of one GPU, which no sum of NCCL's own (ncclAllReduce) promises.
/// </summary>
/// <param name="devices">The ranks, in order: GPUs of libtorch's.</param>
/// <param name="group">Their communicators.</param>
/// <param name="time">Measures the deadlines; null for the system's.</param>
internal sealed class NcclCollective(IReadOnlyList<IDeviceThread> devices, NcclGroup group, TimeProvider? time = null)
    : CheckedCollective(devices, time)
{
    private protected override double[] ReduceScatter(
        TrainingDevice device, int rank, IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices) =>
        ((TorchDevice)device).FoldSent(roots, microBatches, slices, group[rank]);

    private protected override Task GatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) =>
        RunAsync("all-gather", deadline, (device, rank) =>
        {
            ((TorchDevice)device).Gather(slices, group[rank]);
            return true;
        });

    private protected override bool IsWaiting(int rank) => group[rank].IsWaiting;

    // Past the deadline as for any other failure: every rank, because each waits for the others.
    private protected override void OnAbort(string why)
    {
        if (group.Gpus.Select((_, rank) => IsWaiting(rank)).All(waits => waits))
            group.Fail(why);
        group.Abort(why);
    }
}
