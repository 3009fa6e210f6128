using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Splits;

public sealed class SplitChoicesTests
{
    private static readonly TrainingSettings Settings = TrainingMemoryTests.Of(Samples.Model(8, 4, 64, 64, 997), sequences: 16, micro: 1);

    [Fact]
    public void Where_memory_has_room_no_split_is_best_and_else_the_one_that_fits_and_waits_least()
    {
        var plan = TrainingPlan.OfReplica(Settings, 4, 1);
        var choices = SplitChoices.Of(plan, double.PositiveInfinity);
        Assert.Equal(
            ["none", "pipeline:2", "pipeline:4", "tensor:2", "tensor:4", "tensor:2, pipeline:2", "pipeline:2x2", "pipeline:4x2"],
            choices.All.Select(p => p.Split.ToString()));
        Assert.All(choices.All, p => Assert.Equal(p.Split.IsNone, p.CutBytes == 0));
        Assert.All(choices.All, p => Assert.True(p.MostBytesOfDevice >= p.BytesOfDevice));
        // More stages: less memory, and longer waits.
        var pipelines = choices.All.Take(3).ToList();
        Assert.Equal(pipelines.Select(p => p.Memory.Bytes).OrderDescending(), pipelines.Select(p => p.Memory.Bytes));
        Assert.Equal([0, 1.0 / 9, 3.0 / 19], pipelines.Select(p => p.Bubble), (a, b) => Math.Abs(a - b) < 1e-12);
        // What is to be used fits, whatever there is.
        Assert.True(choices.Recommended!.FlopsInTurn <= 1.02 * choices.All.Min(p => p.FlopsInTurn));
        foreach (var free in choices.All.Select(p => p.Memory.Bytes))
            Assert.True(SplitChoices.Of(plan, free).Recommended!.Memory.Bytes <= free);
        Assert.Null(SplitChoices.Of(plan, choices.All.Min(p => p.Memory.Bytes) - 1).Recommended);
    }

    [Fact]
    public void A_pipeline_has_one_sum_of_gradients_and_sends_activations_over_its_cuts()
    {
        var plan = TrainingPlan.OfReplica(Settings, 4, 1, split: ReplicaSplit.Parse("pipeline:4"));
        Assert.Equal((4, null), (plan.InUse.Stages, plan.InUse.Notice));
        Assert.Equal((1, 16), (plan.Together, plan.Units));
        Assert.Equal(3.0 / 19, plan.Bubble, 1e-12);
        // A stage in the middle: T C floats forwards and as many backwards, for each of 16 micro-batches.
        Assert.Equal(2.0 * 16 * 64 * 64 * sizeof(float), plan.CutBytes);
        var one = TrainingPlan.OfReplica(Settings, 1, 1);
        Assert.Equal(
            GradientTree.MostSums(MicroBatchGroups.Nodes(0, 16, 1)).Most * one.ContributionBytes / 4, plan.Vectors.GradientBytes);
    }

    [Fact]
    public void Stages_of_two_pieces_wait_half_as_long_and_send_twice_as_much()
    {
        var (once, twice) = (Of("pipeline:4"), Of("pipeline:4x2"));
        Assert.Equal((2, null), (twice.InUse.Chunks, twice.InUse.Notice));
        Assert.Equal([3.0 / 19, 3.0 / 35], [once.Bubble, twice.Bubble], (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(2 * once.CutBytes, twice.CutBytes);
        Assert.Equal(once.Vectors, twice.Vectors);
        // A stage begins more passes before its first backward pass.
        Assert.InRange(twice.Pass.ActivationBytes, 1.5 * once.Pass.ActivationBytes, 2.25 * once.Pass.ActivationBytes);
        Assert.Equal(
            "a pipeline of 4 stages of 2 pieces each in place of node.split = pipeline:4x3: the network can be cut into 10 pieces",
            Of("pipeline:4x3").InUse.Notice);

        static TrainingPlan Of(string split) => TrainingPlan.OfReplica(Settings, 4, 1, split: ReplicaSplit.Parse(split));
    }

    // Pieces in the middle of the network cost alike, and with few micro-batches as many passes of each are under way.
    [Fact]
    public void A_stage_of_two_pieces_that_cost_alike_keeps_what_both_do()
    {
        var few = TrainingMemoryTests.Of(Samples.Model(8, 4, 64, 64, 997), sequences: 4, micro: 1);
        var (once, twice) = (Of("pipeline:4"), Of("pipeline:4x2"));
        Assert.Equal((4, 4), (once.Units, twice.Units));
        Assert.InRange(twice.Pass.ActivationBytes, once.Pass.ActivationBytes, 2.25 * once.Pass.ActivationBytes);

        TrainingPlan Of(string split) => TrainingPlan.OfReplica(few, 4, 1, split: ReplicaSplit.Parse(split));
    }

    [Fact]
    public void A_pipeline_of_tensor_groups_waits_as_its_stages_do_and_has_one_sum_of_gradients_for_all_devices()
    {
        TrainingPlan Of(string split, int devices) => TrainingPlan.OfReplica(Settings, devices, 1, split: ReplicaSplit.Parse(split));
        TrainingPlan both = Of("tensor:2, pipeline:2", 4), stages = Of("pipeline:2", 2), shared = Of("tensor:2", 2);
        Assert.Equal(new SplitInUse(2, 2, null), both.InUse);
        Assert.Equal(1.0 / 9, both.Bubble, 1e-12);
        Assert.Equal(2 * both.Vectors.GradientBytes, stages.Vectors.GradientBytes);
        // Less than either split leaves a device, and what both send, but that a stage exchanges only what its layers do.
        Assert.True(both.Pass.ActivationBytes < Math.Min(stages.Pass.ActivationBytes, shared.Pass.ActivationBytes));
        Assert.InRange(both.CutBytes, shared.CutBytes / 2, shared.CutBytes + stages.CutBytes);
        Assert.InRange(both.FlopsOfStep, shared.FlopsOfStep / 2, shared.FlopsOfStep);
    }

    [Theory]
    [InlineData(1, "no pipeline in place of node.split = pipeline:8: the replica has 1 device")]
    [InlineData(3, "a pipeline of 3 stages in place of node.split = pipeline:8: the replica has 3 devices")]
    [InlineData(64, "a pipeline of 4 stages in place of node.split = pipeline:8: the network can be cut into 4 stages")]
    public void What_does_not_fit_is_as_large_as_fits_and_says_why(int devices, string why)
    {
        // Two layers, with what is before and behind them.
        var architecture = Architectures.Open(Samples.Tiny());
        Assert.Equal(why, SplitInUse.Of(new ReplicaSplit(1, 8), devices, architecture).Notice);
        Assert.Equal(new SplitInUse(1, 1, null), SplitInUse.Of(ReplicaSplit.None, devices, architecture));
    }

    [Theory]
    [InlineData(8, 8, 1, 1, "no split in place of node.split = tensor:8, pipeline:8: the replica has 1 device", 1)]
    [InlineData(2, 2, 3, 1, "layers shared by 2 devices in place of node.split = tensor:2, pipeline:2: the replica has 3 devices", 2)]
    [InlineData(2, 3, 5, 2, "a pipeline of 2 stages, each on 2 devices in place of node.split = tensor:2, pipeline:3: the replica has 5 "
        + "devices", 2)]
    [InlineData(8, 2, 64, 2, "a pipeline of 2 stages, each on 4 devices in place of node.split = tensor:8, pipeline:2: the network's "
        + "layers can be shared by 4 devices", 4)]
    [InlineData(8, 8, 64, 4, "a pipeline of 4 stages, each on 4 devices in place of node.split = tensor:8, pipeline:8: the network's "
        + "layers can be shared by 4 devices, and the network can be cut into 4 stages", 4)]
    [InlineData(2, 2, 4, 2, null, 2)]
    public void Of_both_as_much_as_fits_is_in_use_and_what_is_missing_is_said(
        int tensor, int pipeline, int devices, int stages, string? why, int ranks) => Assert.Equal(
        new SplitInUse(stages, ranks, why), SplitInUse.Of(new ReplicaSplit(tensor, pipeline), devices, Architectures.Open(Samples.Tiny())));
}
