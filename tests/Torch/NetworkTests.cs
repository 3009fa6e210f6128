using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>
/// Elastic's kernels and the tape's backward pass against autograd in double precision, over the same tape. Tolerance: 1e-5 relative per
/// tensor, where relative is max |a - b| / max |b|.
/// </summary>
public class NetworkTests(ITestOutputHelper output)
{
    private const double Tolerance = 1e-5;

    private static readonly DropoutSeed Seed = new(1, 2, 3, 4);

    [Theory]
    [InlineData(0.0, 0.0, 1)]
    [InlineData(0.0, 0.1, 2)]
    [InlineData(0.3, 0.1, 4)]
    public void Loss_and_gradients_agree_with_autograd_in_double_precision(double dropout, double smoothing, int microBatches)
    {
        NativeTorch.Load();
        var model = Samples.Model(2, 4, 48, 75, 101) with { Dropout = dropout };
        using var vectors = Noisy(model);
        using var device = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), smoothing, threads: 2);
        device.Attach(vectors);
        var batches = Samples.MicroBatches(model, microBatches, 2, 5);
        var losses = device.Accumulate(batches, Seed);
        var gradient = Samples.GradientOf(device);

        using var scope = NewDisposeScope();
        var (layout, leaves) = (vectors.Layout, Leaves(vectors));
        var shape = new BatchShape(1, batches[0].Rows, batches[0].Columns);
        for (var i = 0; i < microBatches; i++)
        {
            var tape = new Tape(TapePurpose.Training, shape, layout, smoothing);
            Architectures.Open(model).Record(tape);
            var pass = new TorchPass(
                tape, name => leaves[layout[name].Name], tensor(batches[i].Inputs, int64), tensor(batches[i].Targets, int64), CPU, float64)
            { Seed = Seed, FirstMicroBatch = batches[i].Index };
            var sum = pass.Run().sum();
            (sum / batches[i].StepTargets).backward();
            Assert.Equal(1, losses[i] / (sum.item<double>() / batches[i].Targets.Length), 1e-6);
        }
        var worst = 0.0;
        foreach (var segment in layout.Segments)
        {
            var expected = leaves[segment.Name].grad!.data<double>().ToArray();
            var (error, size) = (0.0, expected.Max(Math.Abs));
            for (var j = 0; j < expected.Length; j++)
                error = Math.Max(error, Math.Abs(gradient[segment.Offset + j] - expected[j]));
            Assert.True(error / size < Tolerance, $"{segment.Name}: {error / size:E2}");
            worst = Math.Max(worst, error / size);
        }
        output.WriteLine($"worst gradient {worst:E2}");
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    public void A_device_of_libtorch_takes_the_steps_that_a_CPU_takes_within_rounding(string optimizer)
    {
        TorchBackend.Register();
        var model = Samples.Tiny(dropout: 0.1);
        var losses = new[] { "cpu:0", "torch:0" }.ToDictionary(name => name, name => Train(model, new DeviceId(name), optimizer));
        foreach (var (expected, actual) in losses["cpu:0"].Zip(losses["torch:0"]))
            Assert.Equal(expected, actual, 1e-4);
        Assert.NotEqual(losses["cpu:0"][0], losses["cpu:0"][^1], 1e-3);
    }

    [Fact]
    public void Devices_of_libtorch_have_an_arithmetic_of_their_own()
    {
        TorchBackend.Register();
        Assert.Equal("cpu 2", Arithmetic.Of(new DeviceId("cpu:7")));
        Assert.StartsWith("torch 2.", Arithmetic.Of(new DeviceId("torch:0")), StringComparison.Ordinal);
        Assert.Contains("libtorch", DeviceBackends.Find("torch")!.Describe(), StringComparison.Ordinal);
    }

    // Two devices, three steps, evaluation and logits at the end.
    private static List<double> Train(ModelSettings model, DeviceId id, string optimizer)
    {
        var (backend, architecture) = (DeviceBackends.Of(id), Architectures.Open(model));
        using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters), length => backend.Allocate(id, length));
        Initialization.Fill(vectors, 7);
        var devices = Enumerable.Range(0, 2).Select(_ => backend.Open(id, architecture, 0.1, 1)).ToList();
        devices.ForEach(d => d.Attach(vectors));
        var threads = devices.Select(d => new InlineDevice(d)).ToList();
        var settings = Samples.Optimizer() with { Kind = optimizer, AdamWRate = 0.5 };
        var step = new TrainingStep(threads, new LocalCollective(threads), vectors.Layout, Optimizers.Open(settings), 1);
        List<double> numbers = [];
        for (var i = 0; i < 3; i++)
            numbers.Add(step.RunAsync(Samples.MicroBatches(model, 3, 2, i), Seed, 1e-2, i + 1).GetAwaiter().GetResult());
        MicroBatch batch = Samples.MicroBatches(model, 1, 2, 9)[0];
        numbers.AddRange(devices[1].Evaluate(batch).Select(s => s.Mean));
        numbers.AddRange(devices[0].Logits([1, 2, 3]).Select(v => (double)v));
        devices.ForEach(d => d.Dispose());
        return numbers;
    }

    // Far from the flat start, where attention and norms do something.
    private static ReplicaVectors Noisy(ModelSettings model)
    {
        var vectors = Samples.Initialized(model);
        var values = Samples.Values(vectors.Parameters);
        vectors.CopyFrom(VectorSet.Parameters, 0, [.. values.Select(v => v is 0 or 1 ? v : 6 * v)]);
        return vectors;
    }

    private static Dictionary<string, Tensor> Leaves(ReplicaVectors vectors) => vectors.Layout.Segments.ToDictionary(s => s.Name, s =>
        tensor(vectors.Floats(VectorSet.Parameters, s.Offset, (int)s.Count).ToArray(), float64).view([.. s.Shape]).requires_grad_(true));
}
