using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>What an architecture, an optimizer and a batch are to everything else, shown by others than the product's.</summary>
public class SeamTests
{
    [Fact]
    public void An_unknown_architecture_or_optimizer_is_refused()
    {
        Assert.Contains(
            "gpt9", Assert.Throws<ElasticException>(() => Architectures.Open(Samples.Tiny() with { Architecture = "gpt9" })).Message,
            StringComparison.Ordinal);
        Assert.Equal(
            "optimizer.kind = \"none\": use one of \"adamw\", \"muon\"",
            Assert.Throws<ElasticException>(() => Optimizers.Open(Samples.Optimizer() with { Kind = "none" })).Message);
        Assert.IsType<AdamW>(Optimizers.Open(Samples.Optimizer()));
        Assert.IsType<Muon>(Optimizers.Open(Samples.Optimizer() with { Kind = "muon" }));
    }

    [Fact]
    public void A_precision_that_the_network_or_the_optimizer_does_not_support_is_refused()
    {
        var adamW = new AdamW(Samples.Optimizer());
        Assert.Same(Precision.Bf16, Precision.Of(TrainingPrecision.Bf16, new ToyArchitecture(), adamW));
        Assert.Equal(
            "run.precision = fp16: the network (toy) does not train in it; use fp32 or bf16",
            Assert.Throws<ElasticException>(() => Precision.Of(TrainingPrecision.Fp16, new ToyArchitecture(), adamW)).Message);
        Assert.Equal(
            "run.precision = bf16: the optimizer (PlainGradientDescent) does not train in it; use fp32",
            Assert.Throws<ElasticException>(
                () => Precision.Of(TrainingPrecision.Bf16, new ToyArchitecture(), new PlainGradientDescent())).Message);
    }

    [Fact]
    public void Vectors_of_another_architecture_are_refused()
    {
        using var vectors = new ReplicaVectors(new FlatLayout(new ToyArchitecture().Parameters));
        Assert.Contains(
            "gpt2 2x32", Assert.Throws<ArgumentException>(() => Samples.Device(vectors, Samples.Tiny())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gpt2s_head_is_its_token_embedding_and_takes_no_room()
    {
        var layout = Architectures.LayoutOf(Samples.Tiny());
        Assert.Same(layout[Gpt2Architecture.TokenEmbedding], layout[Gpt2Architecture.Head]);
        Assert.DoesNotContain(layout.Segments, s => s.Name == Gpt2Architecture.Head);
    }

    [Fact]
    public void Another_architecture_is_laid_out_and_initialised_as_it_declares()
    {
        using var vectors = Toy();
        var layout = vectors.Layout;
        Assert.Equal(
            [ToyArchitecture.Head, ToyArchitecture.Weight, ToyArchitecture.Bias, ToyArchitecture.Table],
            layout.Segments.Select(s => s.Name));
        Assert.Equal([(true, true), (false, true), (false, false)], layout.Groups.Select(g => (g.Decays, g.IsTrained)));
        Assert.Equal(3 * FlatLayout.Tile, layout.Length);
        Assert.All(Values(vectors, ToyArchitecture.Bias), v => Assert.Equal(0.25f, v));
        Assert.InRange(Values(vectors, ToyArchitecture.Table).Average(v => Math.Abs(v)), 0.5, 1.1);   // N(0, 1): 0.8
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Another_architecture_learns_by_the_one_step_and_its_frozen_parameter_stays(int devices)
    {
        using var vectors = Toy();
        var (table, weight) = (Values(vectors, ToyArchitecture.Table), Values(vectors, ToyArchitecture.Weight));
        var optimizer = new AdamW(Samples.Optimizer() with { WeightDecay = 0.5 });
        var losses = Samples.Train(new ToyArchitecture(), optimizer, vectors, devices, Steps(40), rate: _ => 0.05);
        Assert.InRange(losses[^1], 0, losses[0] / 4);
        Assert.Equal(table, Values(vectors, ToyArchitecture.Table));
        Assert.NotEqual(weight, Values(vectors, ToyArchitecture.Weight));
    }

    [Fact]
    public void Another_optimizer_without_vectors_of_its_own_does_one_step_by_hand()
    {
        using var vectors = Toy();
        using var before = Toy();
        var batches = Steps(1).Single();
        using (var device = new CpuDevice(new Messages.DeviceId("cpu:0"), new ToyArchitecture()))
        {
            device.Attach(before);
            device.Accumulate(batches, default);
            var gradient = Samples.GradientOf(device);
            var parameters = before.Floats(VectorSet.Parameters, 0, gradient.Length);
            for (var i = 0; i < gradient.Length; i++)
                parameters[i] -= gradient[i] * 0.5f;
        }
        Samples.Train(new ToyArchitecture(), new PlainGradientDescent(), vectors, 2, [batches], clip: 0, rate: _ => 0.5);
        Assert.True(vectors.Bytes(VectorSet.Parameters, 0, (int)vectors.Layout.Length)
            .SequenceEqual(before.Bytes(VectorSet.Parameters, 0, (int)before.Layout.Length)));
        Assert.Empty(new PlainGradientDescent().Vectors);
    }

    [Fact]
    public void An_optimizer_of_whole_matrices_gets_slices_that_cut_none()
    {
        // Five matrices of one and a half tiles each: only every second one ends where a tile does.
        long half = FlatLayout.Tile / 2;
        var layout = new FlatLayout(
            [.. Enumerable.Range(0, 5).Select(i =>
                new ParameterSpec($"m{i}", [3, half], true, new ParameterInit.Constant(0)) { HiddenMatrices = 1 })]);
        foreach (var devices in Enumerable.Range(1, 9))
        {
            var slices = Slice.Split(layout, devices, UpdateGranularity.WholeMatrices);
            Assert.Equal(layout.Tiles, slices.Sum(s => s.Tiles));
            Assert.All(slices, s => Assert.Contains(s.FirstTile, new[] { 0, 3, 6, 8 }));
            Assert.Equal(slices.Select(s => s.FirstTile), slices.Select(s => s.FirstTile).Order());
        }
        Assert.Equal([6, 2], Slice.Split(layout, 2, UpdateGranularity.WholeMatrices).Select(s => s.Tiles));
        Assert.Equal([4, 4], Slice.Split(layout, 2).Select(s => s.Tiles));
    }

    [Fact]
    public void A_causal_batch_predicts_each_next_token_and_knows_the_steps_targets_beforehand()
    {
        var batches = new CausalBatching().MicroBatches(Sample.Cut(new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 3), 2);
        Assert.Equal([0, 1], batches.Select(b => b.Index));
        Assert.Equal([2, 1], batches.Select(b => b.Rows));
        Assert.Equal([1, 2, 4, 5], batches[0].Inputs);
        Assert.Equal([2, 3, 5, 6], batches[0].Targets);
        Assert.Equal([8, 9], batches[1].Targets);
        Assert.All(batches, b => Assert.Equal(6, b.StepTargets));
        Assert.Throws<ArgumentException>(() => new CausalBatching().MicroBatches([new Sample(new[] { 1, 2 }), new Sample(new[] { 1 })], 1));
    }

    [Fact]
    public void Scores_are_divided_after_they_are_merged()
    {
        var scores = new ScoreSums();
        scores.Merge("a", new ScoreSum(1, 1));
        scores.Merge("b", new ScoreSum(9, 3));
        scores.Merge("a", new ScoreSum(2, 5));
        Assert.Equal(new ScoreSum(3, 6), scores["a"]);
        Assert.Equal((0.5, 3), (scores["a"].Mean, scores["b"].Mean));
    }

    private static ReplicaVectors Toy()
    {
        var vectors = new ReplicaVectors(new FlatLayout(new ToyArchitecture().Parameters));
        Initialization.Fill(vectors, 3);
        return vectors;
    }

    // In each sample a token is followed by its double.
    private static IEnumerable<IReadOnlyList<MicroBatch>> Steps(int count)
    {
        var random = new Random(1);
        for (var step = 0; step < count; step++)
        {
            var samples = Enumerable.Range(0, 8).Select(_ => random.Next(ToyArchitecture.Words))
                .Select(token => new Sample(new[] { token, 2 * token % ToyArchitecture.Words })).ToList();
            yield return new CausalBatching().MicroBatches(samples, 2);
        }
    }

    private static float[] Values(ReplicaVectors vectors, string name)
    {
        var segment = vectors.Layout[name];
        return vectors.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count).ToArray();
    }
}
