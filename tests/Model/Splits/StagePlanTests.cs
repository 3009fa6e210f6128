using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Splits;

// What a node takes that computes one stage of a replica.
public sealed class StagePlanTests
{
    private static readonly TrainingSettings Settings = TrainingMemoryTests.Of(Samples.Model(8, 4, 64, 64, 997), sequences: 16, micro: 1);

    [Fact]
    public void More_stages_take_less_of_each_node_and_wait_longer()
    {
        var plans = StagePlan.All(Settings with { Run = Settings.Run with { Stages = 3 } }, 1);
        Assert.Equal([2, 3, 4, 8], plans.Select(p => p.Stages));
        var whole = TrainingPlan.OfReplica(Settings, 1, 1).Memory.Bytes;
        Assert.Equal(plans.Select(p => p.MostBytes).Prepend(whole).OrderDescending(), plans.Select(p => p.MostBytes).Prepend(whole));
        // Two stages take two of the 16 micro-batches at a time.
        Assert.Equal([1.0 / 9, 2.0 / 18, 3.0 / 19, 7.0 / 23], plans.Select(p => p.Bubble), (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Null(plans[0].Problem(plans[0].MostBytes));
        Assert.StartsWith(
            $"stage {plans[0].Bytes.ToList().IndexOf(plans[0].MostBytes)} of 2 needs ", plans[0].Problem(plans[0].MostBytes - 1));
    }

    // Of adapters with what is frozen, which no stage has moments or sums of; nor does anybody send it.
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void All_stages_together_take_what_one_node_would_of_vectors_and_a_tied_embedding_once_more(int rank)
    {
        var settings = Settings with { Model = Settings.Model with { Lora = Settings.Model.Lora with { Rank = rank } } };
        var layout = Architectures.LayoutOf(settings.Model);
        var one = TrainingPlan.OfReplica(settings, 2, 1, split: new ReplicaSplit(1, 2));
        var passes = PassPlan.OfStages(
            Architectures.Open(settings.Model), new(one.Together, 1, 64), 1, settings.Batch.Recompute, Precision.Fp32, 2, one.Units);
        var plan = StagePlan.Of(settings, 2, 1);
        var rest = plan.Bytes.Zip(passes, (bytes, pass) => bytes - pass.Bytes).Sum();
        var sums = 2 * one.Vectors.GradientBytes / (layout.TrainedLength * sizeof(float));
        // Parameters, two moments and sums of gradients of each element but those that pad the layout: no memory is given for them.
        var vectors = sizeof(float) * layout.Segments.Sum(s => s.Count * (s.Parameter.IsTrained ? 3 + sums : 1));
        var embedding = sizeof(float) * 997.0 * 64;
        Assert.Equal(vectors + embedding, rest - 2 * (one.UpdateBytes + one.EmbeddingBytes), 1.0);
        var handed = passes.Max(pass => pass.CutBytesOfMicroBatch) * settings.Batch.MicroBatches;
        Assert.Equal(rank == 0 ? handed + embedding : handed, plan.SentBytes, 1.0);
    }

    [Fact]
    public void A_network_has_as_many_stages_as_it_has_cuts()
    {
        Assert.Null(StagePlan.Problem(Settings, 10));
        Assert.Equal(
            "run.stages = 11: this model can be cut into 10 stages at most; use run.stages = 10 or fewer", StagePlan.Problem(Settings, 11));
        Assert.Equal(StagePlan.Problem(Settings, 11), Assert.Throws<ElasticException>(() => StagePlan.Of(Settings, 11, 1)).Message);
        Assert.Empty(StagePlan.All(Settings with { Optimizer = Settings.Optimizer with { MirrorSlices = true } }, 1));
    }
}
