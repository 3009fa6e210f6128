using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Splits;

namespace Elastic.Simulation.Tests;

/// <summary>A virtual replica's step takes as long as the formulas of pipelines say.</summary>
public sealed class VirtualStepTests
{
    // Of m micro-batches that take 3 each, the bubble is a share of the whole.
    [Theory]
    [InlineData("none", 1, 4)]
    [InlineData("pipeline:2", 2, 4)]
    [InlineData("pipeline:4", 4, 8)]
    [InlineData("pipeline:2x2", 2, 4)]
    [InlineData("tensor:2, pipeline:2x2", 4, 6)]
    public void A_step_waits_as_the_formula_says(string split, int devices, int microBatches)
    {
        var step = VirtualStep.Of(ReplicaSplit.Parse(split), devices, microBatches);
        Assert.Equal(
            3 * microBatches / (1 - PipelineSchedule.Bubble(step.Split.Stages, microBatches, step.Split.Chunks)), step.Length, 1e-9);
    }

    [Fact]
    public void Two_groups_of_stages_of_two_pieces_halve_the_micro_batches()
    {
        var split = ReplicaSplit.Parse("pipeline:2x2");
        var (two, four) = (VirtualStep.Of(split, 2, 4), VirtualStep.Of(split, 4, 8));
        Assert.Equal((two.Length, 2 * two.Passes.Count), (four.Length, four.Passes.Count));
        Assert.Equal([0, 1, 2, 3], four.Passes.Select(p => p.First).Distinct().Order());
    }

    [Fact]
    public void A_device_that_is_lost_is_named_with_the_piece_in_whose_pass_it_was()
    {
        var step = VirtualStep.Of(ReplicaSplit.Parse("pipeline:2x2"), 2, 2);
        var lost = step.Passes.Single(p => p is { Stage: 1, Chunk: 1, MicroBatch: 1, IsForward: true });
        Assert.Equal(
            "stage 1 of 2 (cpu:7) in its forward pass of micro-batch 1, piece 1 of 2",
            step.NameOf(1, new DeviceId("cpu:7"), (lost.Begin + lost.End) / 2 / step.Length));
    }
}
