using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// GPUs that reach nobody's memory and exchange by copies, then through NCCL, then by copies again, as when NCCL fails and devices are
/// divided anew: no copy of a vector that one of them has kept is older than the vector. With fakes.
/// </summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class ChangingCollectiveTests : IDisposable
{
    private readonly FakeNccl _nccl = new();

    public ChangingCollectiveTests()
    {
        NativeTorch.Load();
        FakeGpu.Shared.Separate(true);
    }

    public void Dispose() => FakeGpu.Shared.Separate(false);

    [Theory]
    [InlineData("muon")]
    [InlineData("adamw")]
    public async Task Local_then_NCCL_then_local_again_on_the_same_devices_gives_the_vectors_of_one_device(string optimizer)
    {
        ICollective Local(IReadOnlyList<IDeviceThread> devices) => new LocalCollective(devices);
        ICollective Nccl(IReadOnlyList<IDeviceThread> devices) => new NcclCollective(devices, _nccl.Group(0, 1));
        var expected = await TrainAsync(1, optimizer, [Local, Local, Local, Local]);
        Assert.Equal(expected, await TrainAsync(2, optimizer, [Local, Nccl, Local, Nccl]));
        Assert.NotEqual(0, _nccl.Transfers);
    }

    // A step with each collective; the SHA-256 of the replica's vectors at the end, which lie on the first GPU.
    private static async Task<string> TrainAsync(
        int gpus, string optimizer, IReadOnlyList<Func<IReadOnlyList<IDeviceThread>, ICollective>> collectives)
    {
        var (model, opened) = (Samples.Tiny(0.1), Optimizers.Open(Samples.Optimizer() with { Kind = optimizer }));
        var architecture = Architectures.Open(model);
        using var vectors = new ReplicaVectors(
            new FlatLayout(architecture.Parameters), length => new TorchVector(length, TorchSharp.torch.CPU));
        Initialization.Fill(vectors, 7);
        List<DeviceThread> threads = [.. Enumerable.Range(0, gpus).Select(i => new DeviceThread(new DeviceId($"cuda:{i}"), () =>
        {
            var device = new TorchDevice(
                new DeviceId($"cuda:{i}"), TorchSharp.torch.CPU, architecture, 0, FakeGpu.Shared.Kernels(i), i);
            device.Attach(vectors);
            return device;
        }))];
        try
        {
            for (var i = 0; i < collectives.Count; i++)
            {
                var turn = new Turn();
                List<InTurn> devices = [.. threads.Select((t, rank) => new InTurn(t, rank, gpus, turn))];
                var step = new TrainingStep(
                    devices, new TurnsAfterReduction(collectives[i](devices), turn), vectors.Layout, opened, 1);
                await step.RunAsync(Samples.MicroBatches(model, 4, 1, i), new DropoutSeed(3, 1, 2, i), 1e-2, i + 1);
            }

            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var name in (string[])[VectorSet.Parameters, .. opened.Vectors])
                hash.AppendData(MemoryMarshal.AsBytes<float>(Samples.Values(vectors[name])));
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            threads.ForEach(d => d.Dispose());
        }
    }

    // Of the work after the reduction, the update, the last rank's is done first: what it reads of the others is what it has kept.
    private sealed class Turn
    {
        public TaskCompletionSource? LastRankHasUpdated { get; set; }
    }

    private sealed class InTurn(IDeviceThread inner, int rank, int count, Turn turn) : IDeviceThread
    {
        public DeviceId Id => inner.Id;

        public async Task<T> RunAsync<T>(Func<TrainingDevice, T> work)
        {
            var last = turn.LastRankHasUpdated;
            if (last is not null && rank < count - 1)
                await last.Task.WaitAsync(TimeSpan.FromMinutes(1));
            var result = await inner.RunAsync(work);
            if (rank == count - 1)
                last?.TrySetResult();
            return result;
        }
    }

    private sealed class TurnsAfterReduction(ICollective inner, Turn turn) : ICollective
    {
        public async Task<IReadOnlyList<double>> ReduceScatterAsync(
            IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
        {
            var squares = await inner.ReduceScatterAsync(roots, microBatches, slices, deadline);
            turn.LastRankHasUpdated = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return squares;
        }

        public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline) => inner.ReduceBucketAsync(buckets, deadline);

        public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline)
        {
            turn.LastRankHasUpdated = null;
            return inner.AllGatherAsync(slices, deadline);
        }

        public void Abort(string why) => inner.Abort(why);
    }
}
