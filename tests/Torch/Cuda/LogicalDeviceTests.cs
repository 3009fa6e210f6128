using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Several devices on one GPU, each with a stream of its own; with the fake driver, which runs a kernel in its launch.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class LogicalDeviceTests
{
    public LogicalDeviceTests() => NativeTorch.Load();

    [Fact]
    public void They_run_on_streams_of_their_own_wait_before_others_read_and_give_the_bits_of_the_GPU()
    {
        var whole = Train(null);
        FakeGpu.Shared.Clear();
        var streams = Enumerable.Range(0, 3).Select(_ => FakeGpu.Shared.NewStream(0)).ToList();
        Assert.Equal(whole, Train(streams));

        var calls = FakeGpu.Shared.Calls.Select(c => c.Split(' ')).Select(c => (What: c[0], Where: c[1])).ToList();
        var places = calls.Select(c => c.Where).Distinct().ToList();
        Assert.Equal(3, places.Count);
        Assert.All(places, p => Assert.StartsWith("0#", p, StringComparison.Ordinal));
        // A sum reads the gradients of all, and the next pass the parameters that all have updated.
        foreach (var at in Enumerable.Range(1, calls.Count - 1).Where(i => IsReading(calls[i].What) && !IsReading(calls[i - 1].What)))
        {
            Assert.All(places.Where(p => p != calls[at].Where), place => Assert.True(
                calls.Take(at).LastOrDefault(c => c.Where == place, (What: "synchronize", Where: place)).What == "synchronize"
                    || calls.Take(at).Last(c => c.Where == place).What is "tree_sum" or "sums_of_squares",
                $"{calls[at]} came before {place} was waited for"));
        }

        static bool IsReading(string what) => what is "tree_sum" or "norm_forward_f32_f32";
    }

    [Fact]
    public void NCCL_which_refuses_two_ranks_on_one_GPU_is_not_asked()
    {
        FakeGpu.Shared.Separate(true);
        try
        {
            var all = new GpuCollectives(FakeGpu.Shared.Driver, new FakeNccl().Library, null);
            Assert.NotNull(all.GroupOf([0, 1]));
            Assert.Null(all.GroupOf([0, 0]));
            Assert.Null(all.GroupOf([0, 1, 0]));
        }
        finally
        {
            FakeGpu.Shared.Separate(false);
        }
    }

    [Theory]
    [InlineData("cuda:0#16", "cuda:0#16: a device of cuda has at most 16 logical devices, #0 to #15")]
    [InlineData("cuda:2#0", "cuda:2#0: this machine offers 2 cuda devices")]
    [InlineData("torch:0#1", "torch:0#1: devices of torch have no logical devices: use torch:0")]
    [InlineData("cpu:0#1", "cpu:0#1: devices of cpu have no logical devices: use cpu:0")]
    public void What_is_not_there_is_refused(string device, string why)
    {
        using var gpus = FakeGpus.Register(2);
        Assert.Equal("cuda", DeviceBackends.Of(new DeviceId("cuda:1#15")).Kind);
        Assert.Equal(why, Assert.Throws<ElasticException>(() => DeviceBackends.Of(new DeviceId(device))).Message);
    }

    [Fact]
    public void A_libtorch_without_streams_is_named()
    {
        var streams = new TorchStreams(FakeGpu.Shared.Load("libold_torch.so", "fake_nvrtc.c", []));
        Assert.Equal("no logical devices: libtorch_cuda.so lacks torch_set_current_cuda_stream", CudaDescription.Of(streams));
        Assert.StartsWith(
            "libtorch_cuda.so has no torch_set_current_cuda_stream", Assert.Throws<ElasticException>(() => streams.Use(1, 0)).Message,
            StringComparison.Ordinal);
    }

    // Two steps of five micro-batches on GPU 0; the parameters at the end.
    private static float[] Train(IReadOnlyList<GpuStream>? streams)
    {
        var model = Samples.Tiny(0.1);
        var architecture = Architectures.Open(model);
        using var vectors = new ReplicaVectors(
            new FlatLayout(architecture.Parameters), length => new TorchVector(length, TorchSharp.torch.CPU));
        Initialization.Fill(vectors, 7);
        List<TorchDevice> devices = [];
        try
        {
            foreach (var stream in streams ?? new GpuStream?[] { null }.AsEnumerable())
            {
                devices.Add(new TorchDevice(
                    new DeviceId($"cuda:0#{devices.Count}"), TorchSharp.torch.CPU, architecture, 0, FakeGpu.Shared.Kernels(0, stream), 0,
                    stream));
                devices[^1].Attach(vectors);
            }
            var threads = devices.Select(d => new InlineDevice(d)).ToList();
            var step = new TrainingStep(threads, new LocalCollective(threads), vectors.Layout, new AdamW(Samples.Optimizer()), 1);
            for (var i = 0; i < 2; i++)
                step.RunAsync(Samples.MicroBatches(model, 5, 1, i), new DropoutSeed(3, 1, 2, i), 1e-2, i + 1).GetAwaiter().GetResult();
            return Samples.Values(vectors.Parameters);
        }
        finally
        {
            devices.ForEach(d => d.Dispose());
        }
    }
}
