using System.Collections.Concurrent;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Observations;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>A node whose replicas are split over its devices: the fingerprint is that of one device.</summary>
public sealed class SplitSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    // Its slices are mirrored, so that a step is taken again on the devices that are left: in a smaller split, which is told.
    [Theory]
    [InlineData(false, "pipeline:3", 3, "stage 1 of 3 (cpu:1) ", "a pipeline of 2 stages")]
    [InlineData(true, "tensor:2, pipeline:2", 4, "rank 1 of stage 0 (cpu:1) ", "layers shared by 2 devices")]
    public async Task A_device_that_dies_or_hangs_in_the_middle_of_a_step_is_named_and_a_smaller_split_ends_with_the_same_fingerprint(
        bool hangs, string split, int count, string name, string smaller)
    {
        const int Steps = 6;
        var settings = TinyRun.Settings("a", rounds: 2, innerSteps: Steps);
        settings = settings with { Model = settings.Model with { Layers = 2 } };
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");
        settings = settings with { Optimizer = settings.Optimizer with { MirrorSlices = true } };

        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        using var over = new ManualResetEventSlim();
        var (said, works, steps) = (new ConcurrentQueue<string>(), 0, 0);
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = $"cpu:{count}", DataDir = Path.Combine(_tiny.Root, "disturbed"), Split = split },
            NodeDuty.Train, said.Enqueue, new NodeFaults(
                AfterStep: (_, _) =>
                {
                    steps++;
                    return Task.CompletedTask;
                },
                // In the second step the device begins its stage, and then its passes.
                BeforeDeviceWork: device =>
                {
                    if (device.Value != "cpu:1" || steps == 0 || ++works != 4)
                        return;
                    if (!hangs)
                        throw new DeviceFailedException(device, isLost: true, "no driver");
                    over.Wait(deadline.Token);
                },
                Deadlines: () => hangs ? new StepDeadlines(TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(8)) : null),
            Transport.Plain, deadline.Token);
        try
        {
            var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);
            Assert.Equal(expected.Fingerprint, view.Fingerprint);
        }
        finally
        {
            over.Set();
        }

        Assert.Contains(said, s => s.Contains($"device cpu:1 is lost ({name}", StringComparison.Ordinal)
            && s.Contains(hangs ? " did not end its " : " is gone in its ", StringComparison.Ordinal)
            && s.Contains(" pass of micro-batch 0", StringComparison.Ordinal)
            && s.Contains("its replica repeats the step on the others", StringComparison.Ordinal));
        Assert.Equal(2 * Steps, steps);
        IReadOnlyList<StoredObservation> observed = [];
        // They are stored a moment later.
        for (var query = new ObservationQuery(AtMost: 10, Kinds: [typeof(SplitSmaller)]); observed.Count == 0;)
        {
            observed = await node.Control.ObservedAsync(query, deadline.Token);
            await Task.Delay(20, deadline.Token);
        }

        Assert.Equal(
            $"{smaller} in place of node.split = {split}: the replica has {count - 1} devices",
            Assert.IsType<SplitSmaller>(observed[0].What).How);
    }
}
