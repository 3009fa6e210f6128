using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Devices of a replica that is split over all of a node's: one dies or hangs in a pass, and comes back; one goes.</summary>
public sealed class SplitDeviceSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    // In the second step of the first round a device is lost; in the second round a person gives it back, in the third takes another away.
    [Theory]
    [InlineData(true, "rank 2 of 4 (cpu:2) did not end its forward and backward pass within ")]
    [InlineData(false, "rank 2 of 4 (cpu:2) is gone in its forward and backward pass: ")]
    public async Task A_device_lost_in_a_pass_is_observed_and_what_is_left_has_the_same_bits_as_has_all_when_it_is_given_back(
        bool hangs, string why)
    {
        // The order to use other devices may arrive when the next step has begun; the news are of each round's last step.
        var settings = TinyRun.Settings("a", rounds: 3, innerSteps: 3);
        settings = settings with { Model = settings.Model with { Layers = 3, Heads = 4 } };
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");
        // Where it dies, there is no mirror: the replica begins anew from the version.
        settings = settings with { Optimizer = settings.Optimizer with { MirrorSlices = hangs } };

        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        using var over = new ManualResetEventSlim();
        var (works, devices) = (-1, new Queue<string>(["cpu:0,1,2,3", "cpu:0,1,2"]));
        ElasticNode? started = null;
        await using var node = started = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:4", DataDir = Path.Combine(_tiny.Root, "disturbed"), Split = "tensor:4" },
            NodeDuty.Train, _ => { }, new NodeFaults(
                AfterStep: async (round, _) =>
                {
                    if (works < 0)
                        works = 0;
                    if (round > 2 - devices.Count && devices.TryDequeue(out var now))
                        Assert.IsType<NodeReply.HasDevices>(
                            await started!.Control.UseDevicesAsync(
                                $"{started.Endpoint}", now, Origins.Now("a test"), CancellationToken.None));
                },
                BeforeDeviceWork: device =>
                {
                    // In the middle of the first micro-batches: some segments of them are computed by all.
                    if (device.Value != "cpu:2" || works < 0 || ++works != 12)
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

        var lost = Assert.Single(await ObservedAsync<DeviceLost>(1));
        Assert.Equal(("cpu:2", "compute", 0, 0, hangs), (lost.Device, lost.Kind, lost.Number, lost.Index, lost.RepeatsStep));
        Assert.StartsWith(why, lost.Why, StringComparison.Ordinal);
        // In the second round it was split over all again.
        Assert.Equal(
            [0, 2], (await ObservedAsync<SplitSmaller>(2))
                .Where(s => s.How == "layers shared by 2 devices in place of node.split = tensor:4: the replica has 3 devices")
                .Select(s => s.Round));

        // They are stored a moment later.
        async Task<List<T>> ObservedAsync<T>(int count) where T : Observation
        {
            while (true)
            {
                var stored = await node.Control.ObservedAsync(new ObservationQuery(AtMost: 10, Kinds: [typeof(T)]), deadline.Token);
                if (stored.Count >= count)
                    return [.. stored.Select(o => (T)o.What!)];
                await Task.Delay(20, deadline.Token);
            }
        }
    }
}
