using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Simulation;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Serialization;

// Akka drops a frame above 128,000 bytes, and only the sender's log says so.
public sealed class MessageSizeSpecs
{
    [Fact]
    public void No_message_of_the_largest_run_is_above_64_KiB()
    {
        var largest = new Dictionary<string, int>(StringComparer.Ordinal);
        var plan = RunSamples.PlanOf(RunSettings.MostReplicas, rounds: 1, chunks: 2500) with { CheckpointEvery = 1 };
        var world = new VirtualWorld(1, plan, new Accidents(0))
        {
            Inspect = (message, bytes) =>
            {
                var name = message switch
                {
                    WorkOrder order => order.Content.GetType().Name,
                    WorkResult result => result.Outcome.GetType().Name,
                    _ => message.GetType().Name,
                };
                largest[name] = Math.Max(bytes, largest.GetValueOrDefault(name));
            },
        };
        world.Run();

        foreach (var name in new[] { "Compute", "Average", "Averaged", "Assemble", "TakeCheckpoint",
            "CheckpointWritten", "Retain", "Enlist" })
            Assert.Contains(name, largest.Keys);
        Assert.All(largest, l => Assert.True(l.Value <= 65_536, $"{l.Key} has {l.Value} bytes"));
    }
}
