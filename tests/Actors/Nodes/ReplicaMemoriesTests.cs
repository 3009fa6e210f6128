using Elastic.Actors.Nodes.Replicas;
using Elastic.Actors.Tests.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>When a node looks at the memory that training takes.</summary>
public sealed class ReplicaMemoriesTests : TemporaryFolder
{
    private static readonly Digest Version = Digest.Of("a version"u8);

    [Fact]
    public void A_device_is_looked_at_when_a_replica_is_trained_there_first_also_where_an_evaluation_was()
    {
        var backend = RoomyDevices.Kind;
        backend.Memory = (1 << 10, 1L << 40);
        DeviceId[] devices = [new("roomy:0")];
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        var (run, said) = (OpenedRun.Of(Folder, fetcher).Setup, new List<string>());
        using var memories = new ReplicaMemories(said.Add);
        var replica = new Compute(0, 0, Version, null, null, run.Plan.At(0));

        var evaluated = memories.Take(run, devices, 1, new Evaluate(1, Version));
        Assert.Empty(said);
        memories.GiveBack(evaluated);
        // It has room for what is sure, or not: then that counts the next time, too.
        backend.Memory = (1 << 10, 1 << 10);
        for (var i = 0; i < 2; i++)
            Assert.StartsWith(
                "roomy:0 has no room for a replica: ",
                Assert.Throws<ElasticException>(() => memories.Take(run, devices, 1, replica)).Message, StringComparison.Ordinal);
        backend.Memory = (1 << 10, 1L << 40);
        var trained = memories.Take(run, devices, 1, replica);
        Assert.Same(evaluated, trained);
        Assert.StartsWith("roomy:0 may have no room for a replica: about ", Assert.Single(said), StringComparison.Ordinal);
        memories.GiveBack(trained);
        Assert.Same(trained, memories.Take(run, devices, 1, replica));
        Assert.Single(said);
    }

    [Fact]
    public void Where_a_replica_was_trained_memory_is_looked_at_again_when_other_settings_need_more()
    {
        DeviceId[] devices = [new("cpu:0")];
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        var run = OpenedRun.Of(Folder, fetcher, evaluatedEvery: 1).Setup;
        var larger = run.In("""{"batch.sequences":1048576,"batch.micro":1048576}""", "");
        using var memories = new ReplicaMemories(_ => { });
        var replica = new Compute(0, 0, Version, null, null, run.Plan.At(0));

        var trained = memories.Take(run, devices, 1, replica);
        memories.GiveBack(trained);
        for (var i = 0; i < 2; i++)
            Assert.StartsWith(
                "training needs ", Assert.Throws<ElasticException>(() => memories.Take(larger, devices, 1, replica)).Message,
                StringComparison.Ordinal);
        Assert.Same(trained, memories.Take(run, devices, 1, replica));
        Assert.Equal([(run.Id, run.Settings)], memories.InTraining);
    }
}
