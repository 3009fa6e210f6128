using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Training steps of GPUs that reach nobody's memory, and what NCCL may do to them; with fakes.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class NcclTests : IDisposable
{
    private const int RefusesStart = 1, FailsTransfer = 2;

    private readonly FakeNccl _nccl = new();

    public NcclTests() => NativeTorch.Load();

    public void Dispose() => FakeGpu.Shared.Separate(false);

    [Theory]
    [InlineData("adamw", true)]
    [InlineData("muon", true)]
    [InlineData("adamw", false)]
    public async Task GPUs_with_NCCL_between_them_give_the_bits_of_one_in_all_vectors(string optimizer, bool hasKernels)
    {
        var expected = await TrainAsync(1, optimizer, hasKernels, devices => new LocalCollective(devices));
        Assert.Equal(expected, await TrainAsync(3, optimizer, hasKernels, devices => new LocalCollective(devices)));
        Assert.Equal(0, _nccl.Transfers);
        Assert.Equal(expected, await TrainAsync(
            3, optimizer, hasKernels, devices => new NcclCollective(devices, _nccl.Group(0, 1, 2))));
        Assert.NotEqual(0, _nccl.Transfers);
        // The vectors may lie with any rank.
        Assert.Equal(expected, await TrainAsync(
            2, optimizer, hasKernels, devices => new NcclCollective(devices, _nccl.Group(0, 1)), home: 1));
    }

    [Theory]
    [InlineData(RefusesStart, "error 2 (unhandled system error)")]
    [InlineData(FailsTransfer, "error 3 (internal error)")]
    public async Task What_NCCL_refuses_is_told_in_its_words_with_rank_and_size_and_ends_all_ranks(int kind, string words)
    {
        _nccl.Fault(1, kind);
        var group = _nccl.Group(0, 1, 2);
        var failure = await Assert.ThrowsAsync<DeviceFailedException>(
            () => TrainAsync(3, "adamw", true, devices => new NcclCollective(devices, group)));
        Assert.Equal((new DeviceId("cuda:1"), false), (failure.Device, failure.IsLost));
        Assert.StartsWith(
            "rank 1 of 3 (cuda:1) failed in its reduce-scatter: NCCL 2.28.9 answers ", failure.Message, StringComparison.Ordinal);
        Assert.EndsWith($"of rank 1 of 3 (GPU 1) with {words}: see NCCL_DEBUG=WARN", failure.Message, StringComparison.Ordinal);
        Assert.IsType<NcclException>(failure.InnerException);
        await AssertAllAbortedAsync(group);
        Assert.Equal(failure.InnerException.Message, group.Failure);
    }

    [Fact]
    public async Task A_GPU_that_falls_off_the_bus_is_lost_by_name_while_the_others_wait_for_its_slices()
    {
        var (group, steps) = (_nccl.Group(0, 1, 2), 0);
        try
        {
            var loss = await Assert.ThrowsAsync<DeviceFailedException>(
                () => TrainAsync(3, "adamw", true, devices => new NcclCollective(devices, group), before: () =>
                {
                    if (steps++ == 1)
                        FakeGpu.Shared.Lose(1, 0);
                }));
            Assert.Equal((new DeviceId("cuda:1"), true), (loss.Device, loss.IsLost));
            Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", loss.Message, StringComparison.Ordinal);
            Assert.Null(group.Failure);
            await AssertAllAbortedAsync(group);
        }
        finally
        {
            FakeGpu.Shared.Lose(1, -1);
        }
    }

    [Fact]
    public void GPUs_that_do_not_reach_each_other_use_NCCL_until_it_refuses()
    {
        var (all, devices) = (new GpuCollectives(FakeGpu.Shared.Driver, _nccl.Library, null), Threads(2));
        Assert.IsType<LocalCollective>(all.Open(devices, [0, 1]));
        Assert.Equal(
            "NCCL 2.28.9 (libnccl.so.2); GPUs of one replica read and write each other's memory", CudaDescription.Of(all, 2));
        FakeGpu.Shared.Separate(true);
        Assert.IsType<LocalCollective>(all.Open(Threads(1), [0]));
        Assert.IsType<NcclCollective>(all.Open(devices, [0, 1]));
        Assert.Equal(
            "NCCL 2.28.9 (libnccl.so.2); GPUs of one replica use NCCL 2.28.9, because GPU 0 does not reach the memory of 1",
            CudaDescription.Of(all, 2));
        _nccl.Fault(0, RefusesStart);
        Assert.Throws<NcclException>(() => all.GroupOf([0, 1])![0].Exchange("a test", () => { }));
        Assert.IsType<LocalCollective>(all.Open(devices, [0, 1]));
        Assert.StartsWith(
            "GPUs of one replica copy through this machine's memory, because GPU 0 does not reach the memory of 1, and NCCL is of no use: "
            + "NCCL 2.28.9 answers the start of rank 0 of 2 (GPU 0) with error 2", all.Describe([0, 1]), StringComparison.Ordinal);
        Assert.Equal(
            "no NCCL; GPUs of one replica copy through this machine's memory, because GPU 0 does not reach the memory of 1, and NCCL is "
            + "of no use: none here",
            CudaDescription.Of(new GpuCollectives(FakeGpu.Shared.Driver, null, "none here"), 2));
    }

    [Fact]
    public async Task Communicators_are_kept_for_the_same_GPUs_and_end_where_these_are_divided_anew()
    {
        FakeGpu.Shared.Separate(true);
        var all = new GpuCollectives(FakeGpu.Shared.Driver, _nccl.Library, null);
        var pair = all.GroupOf([0, 1])!;
        Assert.Same(pair, all.GroupOf([0, 1]));
        var rest = all.GroupOf([2, 3])!;
        Assert.False(pair.IsAborted);
        var three = all.GroupOf([1, 0, 4])!;
        await AssertAllAbortedAsync(pair);
        Assert.False(rest.IsAborted);
        three.Abort("a test");
        Assert.NotSame(three, all.GroupOf([1, 0, 4]));
    }

    [Fact]
    public void Versions_are_told_and_one_that_waits_in_its_calls_is_refused()
    {
        Assert.Empty(_nccl.Library.Missing);
        Assert.Equal("2.14.3", _nccl.OfVersion(21403).Version);
        Assert.Equal(
            "NCCL 2.12.10 (libnccl.so.2) waits in its calls: 2.14 and later need not; install a newer one",
            Assert.Throws<ElasticException>(() => _nccl.OfVersion(21210)).Message);
    }

    private static List<IDeviceThread> Threads(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new InlineDevice(new TorchDevice(
            new DeviceId($"cuda:{i}"), TorchSharp.torch.CPU, new ToyArchitecture(), 0, gpu: i)))];

    // By threads of their own, which this waits for.
    private async Task AssertAllAbortedAsync(NcclGroup group)
    {
        Assert.True(group.IsAborted);
        await _nccl.ClosedAsync();
    }

    // Two steps; the replica's vectors at the end, one after another.
    private static async Task<float[]> TrainAsync(
        int gpus, string optimizer, bool hasKernels, Func<IReadOnlyList<IDeviceThread>, ICollective> open, Action? before = null,
        int home = 0)
    {
        var (model, opened) = (Samples.Tiny(0.1), Optimizers.Open(Samples.Optimizer() with { Kind = optimizer }));
        var architecture = Architectures.Open(model);
        using var vectors = new ReplicaVectors(
            new FlatLayout(architecture.Parameters), length => new TorchVector(length, TorchSharp.torch.CPU, home));
        Initialization.Fill(vectors, 7);
        List<DeviceThread> devices = [.. Enumerable.Range(0, gpus).Select(i => new DeviceThread(new DeviceId($"cuda:{i}"), () =>
        {
            var device = new TorchDevice(
                new DeviceId($"cuda:{i}"), TorchSharp.torch.CPU, architecture, 0, hasKernels ? FakeGpu.Shared.Kernels(i) : null, i);
            device.Attach(vectors);
            return device;
        }))];
        try
        {
            var step = new TrainingStep(devices, open(devices), vectors.Layout, opened, 1);
            for (var i = 0; i < 2; i++)
            {
                before?.Invoke();
                await step.RunAsync(Samples.MicroBatches(model, 4, 1, i), new DropoutSeed(3, 1, 2, i), 1e-2, i + 1);
            }
            string[] names = [VectorSet.Parameters, .. opened.Vectors];
            return [.. names.SelectMany(name => Samples.Values(vectors[name]))];
        }
        finally
        {
            devices.ForEach(d => d.Dispose());
        }
    }
}
