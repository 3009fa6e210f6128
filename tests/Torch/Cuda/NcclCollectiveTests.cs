using Elastic.Messages;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>The contract of collectives, of GPUs that reach nobody's memory, with a fake NCCL between them.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class NcclCollectiveTests : CollectiveContract
{
    private static readonly Lazy<FakeNccl> Nccl = new(() => new FakeNccl());

    public NcclCollectiveTests() => NativeTorch.Load();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Past_the_deadline_the_rank_that_stays_away_is_named_not_those_that_wait_for_it_and_all_are_aborted(bool isInNccl)
    {
        const int neverEnds = 3;
        var (nccl, clock) = (new FakeNccl(), new HandClock());
        using var scene = NewScene(3, 3);
        var roots = await scene.RootsAsync();
        var (group, devices) = (nccl.Group(0, 1, 2), scene.Devices.Select(d => new TroubledDevice(d)).ToList());
        if (isInNccl)
            nccl.Fault(2, neverEnds);
        else
            devices[2].HangsIn = 0;
        var collective = new NcclCollective(devices, group, clock);
        var running = collective.ReduceScatterAsync(roots, 3, scene.Slices, TimeSpan.FromSeconds(5));
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!group[0].IsWaiting || !group[1].IsWaiting || (isInNccl && !group[2].IsWaiting))
            await Task.Delay(1, deadline.Token);
        clock.Advance(TimeSpan.FromSeconds(5));
        var hang = await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        // Where all wait in NCCL, no device is at fault, and NCCL is not used again.
        Assert.Equal(
            isInNccl
                ? "the reduce-scatter of 3 devices did not end within 5 s: each waits for another"
                : "rank 2 of 3 (cpu:2) did not end its reduce-scatter within 5 s: it hangs",
            hang.Message);
        Assert.Equal(!isInNccl, hang.IsLost);
        Assert.Equal(isInNccl ? hang.Message : null, group.Failure);
        await AssertEndedAsync(collective, roots, scene, hang.Message);
        await nccl.ClosedAsync();
    }

    protected override ICollective Open(IReadOnlyList<IDeviceThread> devices, TimeProvider time) =>
        new NcclCollective(devices, Nccl.Value.Group([.. Enumerable.Range(0, devices.Count)]), time);

    private protected override TrainingDevice NewDevice(int rank) => new TorchDevice(
        new DeviceId($"cpu:{rank}"), TorchSharp.torch.CPU, Toy, 0, FakeGpu.Shared.Kernels(rank), rank);

    private protected override ReplicaVectors NewVectors() =>
        new(Layout, length => new TorchVector(length, TorchSharp.torch.CPU));
}
