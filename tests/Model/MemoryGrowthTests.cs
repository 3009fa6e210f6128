using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Model.Tests;

public class MemoryGrowthTests
{
    // 8 micro-batches.
    private static readonly TrainingSettings Settings = TrainingMemoryTests.Of(Samples.Tiny(), sequences: 16, micro: 2);

    private static double Bytes(int devices) => TrainingPlan.OfReplica(Settings, devices, 1).Memory.Bytes;

    [Fact]
    public void It_is_what_more_devices_take_and_says_what_is_free()
    {
        var growth = Bytes(4) - Bytes(1);
        Assert.Null(MemoryGrowth.Problem([Settings], 1, [Settings], 4, growth));
        Assert.Contains(
            "more on 4 devices than on 1 device (gradients ", MemoryGrowth.Problem([Settings], 1, [Settings], 4, growth - 1),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Replicas_share_devices_evenly_and_none_has_more_than_micro_batches_or_than_the_settings_say()
    {
        // Two replicas: 1 and 1 devices become 1 and 2.
        var growth = Bytes(2) - Bytes(1);
        Assert.Null(MemoryGrowth.Problem([Settings, Settings], 2, [Settings, Settings], 3, growth));
        Assert.NotNull(MemoryGrowth.Problem([Settings, Settings], 2, [Settings, Settings], 3, growth - 1));
        Assert.Null(MemoryGrowth.Problem([Settings], 8, [Settings], 1000, 0));
        var most = Settings with { Run = Settings.Run with { DevicesPerReplica = 3 } };
        Assert.Null(MemoryGrowth.Problem([most], 3, [most], 8, 0));
        Assert.NotNull(MemoryGrowth.Problem([most], 8, [Settings], 8, 0));
    }

    [Fact]
    public void It_counts_as_the_devices_of_the_machine_share_a_replica()
    {
        var sharing = ReplicaSharing.Usual with { Zero = 2 };
        double Sharded(int devices) => TrainingPlan.OfReplica(Settings, devices, 1, zero: 2).Memory.Bytes;
        var growth = Sharded(4) - Sharded(1);
        Assert.True(growth < Bytes(4) - Bytes(1));
        Assert.Null(MemoryGrowth.Problem([Settings], 1, [Settings], 4, growth, sharing));
        Assert.NotNull(MemoryGrowth.Problem([Settings], 1, [Settings], 4, growth - 1, sharing));
    }

    [Fact]
    public void Fewer_devices_and_no_replica_need_nothing()
    {
        Assert.Null(MemoryGrowth.Problem([], 1, [], 8, 0));
        Assert.Null(MemoryGrowth.Problem([Settings], 4, [Settings], 1, 0));
    }
}
