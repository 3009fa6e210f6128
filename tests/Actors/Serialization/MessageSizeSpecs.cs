using System.Collections.Concurrent;
using Elastic.Messages.Settings;
using Elastic.Simulation;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Serialization;

// Akka drops a frame above 128,000 bytes, and only the sender's log says so.
public sealed class MessageSizeSpecs(WireSystem wire) : IClassFixture<WireSystem>
{
    [Fact]
    public void No_message_of_the_largest_run_is_above_64_KiB()
    {
        var largest = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var plan = RunSamples.Plan with { Replicas = RunSettings.MostReplicas, Elements = RunSamples.ElementsOf(2500), Rounds = 1, CheckpointEvery = 1 };
        var world = new VirtualWorld(1, plan, new Accidents(0))
        {
            Inspect = message =>
            {
                var bytes = wire.Write(message).Length;
                largest.AddOrUpdate(message.GetType().Name, bytes, (_, most) => Math.Max(most, bytes));
            },
        };
        world.Run();

        Assert.Contains("Assemble", largest.Keys);
        Assert.Contains("TakeCheckpoint", largest.Keys);
        Assert.All(largest, l => Assert.True(l.Value <= 65_536, $"{l.Key} has {l.Value} bytes"));
    }
}
