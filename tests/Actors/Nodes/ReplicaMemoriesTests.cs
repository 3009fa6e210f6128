using Elastic.Actors.Nodes.Devices;
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
        var (run, said) = (OpenedRun.Of(Folder, fetcher, sources: "books").Setup, new List<string>());
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
        // As with each window of a corpus that grows: other settings would be checked, those of the same text are the same.
        memories.GiveBack(trained);
        backend.Memory = (1 << 10, 1 << 10);
        Assert.Same(trained, memories.Take(OpenedRun.Of(Folder, fetcher, sources: "books").Setup, devices, 1, replica));
        Assert.Single(said);
    }

    [Fact]
    public async Task Memory_that_a_replica_has_taken_is_that_of_the_devices_to_which_it_has_moved()
    {
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        var run = OpenedRun.Of(Folder, fetcher).Setup;
        using var memories = new ReplicaMemories(_ => { });
        var memory = memories.Take(
            run, [new("cpu:0"), new("cpu:1")], 1, new Compute(0, 0, Version, null, null, run.Plan.At(0)));
        Assert.Equal(new Trained(run.Settings, 2), memory.TrainedWith);
        // Of one micro-batch a step one device computes, and the others lend their threads.
        await memory.TrainOnAsync(new DeviceGroup([], 8), run.Settings);
        Assert.Equal(new Trained(run.Settings, 8), memory.TrainedWith);
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
