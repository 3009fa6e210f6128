using System.Collections.Concurrent;
using Elastic.Actors;
using Elastic.Actors.Tests.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>A whole node in this process whose devices are the fake driver's GPUs: no GPU is here, and none is claimed.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class GpuNodeSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose()
    {
        FakeGpu.Shared.GiveMemory(70L << 30, 80L << 30);
        _tiny.Dispose();
    }

    // The replica's vectors lie on the first of its GPUs: where they are left the step alone is repeated, and else the round begins anew.
    [Theory]
    [InlineData(1, true)]
    [InlineData(0, false)]
    [InlineData(1, true, "pipeline:2")]
    public async Task A_GPU_that_falls_off_the_bus_in_a_step_is_observed_and_the_node_goes_on_with_the_other_to_the_same_fingerprint(
        int gpu, bool repeatsStep, string split = "none")
    {
        var settings = TinyRun.Settings("a", rounds: 2, innerSteps: 2);
        settings = settings with
        {
            Batch = settings.Batch with { Sequences = 4 },
            // No evaluation, which would have one of the GPUs to itself in the meantime.
            Corpus = settings.Corpus with { HeldOut = 0 },
            Optimizer = settings.Optimizer with { MirrorSlices = true },
        };
        using var gpus = FakeGpus.Register(2);
        var expected = await _tiny.TrainAsync(settings, "cuda:0", data: "undisturbed");

        // Too little for the activations, as the node says; what the fakes use is the machine's memory.
        FakeGpu.Shared.GiveMemory(1 << 10, 1L << 30);
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var said = new ConcurrentQueue<string>();
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cuda:all", Split = split, DataDir = Path.Combine(_tiny.Root, "disturbed") },
            NodeDuty.Train, said.Enqueue, deadline.Token);
        // The node's agent begins with it, a moment later.
        while (!gpus.Measured.SequenceEqual([0, 1]))
            await Task.Delay(5, deadline.Token);
        // In the middle of the first step's backward pass; a stage launches half as many kernels.
        FakeGpu.Shared.Lose(gpu, split == "none" ? 9 : 5);
        var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);

        Assert.Equal(expected.Fingerprint, view.Fingerprint);
        Assert.Contains(said, s => s.StartsWith(
            split == "none"
                ? $"device cuda:{gpu} is lost (rank {gpu} of 2 (cuda:{gpu}) is gone in its forward and backward pass"
                : $"device cuda:{gpu} is lost (stage {gpu} of 2 (cuda:{gpu}) is gone in its ", StringComparison.Ordinal));
        Assert.All(["cuda:0", "cuda:1"], device => Assert.Contains(said, s => s.StartsWith(
            $"{device} may have no room for a replica: about ", StringComparison.Ordinal)));
        Assert.Equal([$"cuda:{1 - gpu}"], (await node.Control.NodesAsync(deadline.Token)).Single().Devices);
        IReadOnlyList<StoredObservation> stored;
        // They are stored a moment later.
        while ((stored = await node.Control.ObservedAsync(
            new ObservationQuery(AtMost: 10, Kinds: [typeof(DeviceLost)]), deadline.Token)).Count == 0)
            await Task.Delay(5, deadline.Token);
        var lost = Assert.IsType<DeviceLost>(Assert.Single(stored).What);
        Assert.Equal(($"cuda:{gpu}", "compute", repeatsStep), (lost.Device, lost.Kind, lost.RepeatsStep));
        Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", lost.Why, StringComparison.Ordinal);
    }
}
