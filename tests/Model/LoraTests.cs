using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Low-rank adapters: their place, their start, and that nothing else is trained.</summary>
public class LoraTests
{
    private static readonly LoraSettings Rank4 = ModelSettings.Defaults.Lora with { Rank = 4 };

    [Fact]
    public void Adapters_have_PEFTs_names_and_shapes_and_well_below_a_hundredth_of_the_parameters()
    {
        var model = ConfiguredGpt2();
        var layout = Architectures.LayoutOf(model);
        var trained = layout.Segments.Where(s => s.Parameter.IsTrained).ToList();
        Assert.Equal(2 * 12, trained.Count);
        Assert.Equal([4, 768], layout["transformer.h.7.attn.c_attn.lora_A.weight"].Shape);
        Assert.Equal([3 * 768, 4], layout["transformer.h.7.attn.c_attn.lora_B.weight"].Shape);
        Assert.InRange((double)trained.Sum(s => s.Count) / layout.Segments.Sum(s => s.Count), 0.0005, 0.0013);
        Assert.EndsWith(" lora 4 of the attention", Architectures.Open(model).Signature, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void The_first_step_starts_from_the_network_as_it_is_and_moves_the_adapters_alone(string kind)
    {
        var plain = kind == "gpt2" ? Samples.Tiny() : Samples.Llama(2, 4, 2, 32, 16, 97);
        var model = plain with { Lora = Rank4 };
        using var without = Samples.Initialized(plain);
        using var vectors = Samples.Initialized(model);
        foreach (var segment in without.Layout.Segments)               // drawn by name
            Assert.Equal(Floats(without, segment.Name), Floats(vectors, segment.Name));
        int[] tokens = [1, 2, 3];
        using (var device = Samples.Device(without, plain))
        using (var adapted = Samples.Device(vectors, model))
            Assert.Equal(device.Logits(tokens), adapted.Logits(tokens));

        var batches = Samples.MicroBatches(model, 2, 2, 1);
        var losses = Samples.Train(
            Architectures.Open(model), Optimizers.Open(Samples.Optimizer()), vectors, 1, Enumerable.Repeat(batches, 20), rate: _ => 0.02);
        Assert.True(losses[1] < losses[0]);                            // from its first step on
        Assert.True(losses[^1] < losses[1]);
        foreach (var segment in without.Layout.Segments)
            Assert.Equal(Floats(without, segment.Name), Floats(vectors, segment.Name));
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void Devices_and_threads_do_not_show(string kind)
    {
        var model = (kind == "gpt2" ? Samples.Tiny(0.1) : Samples.Llama(2, 4, 2, 32, 16, 97)) with { Lora = Rank4 };
        var digests = new[] { (1, 1), (2, 1), (3, 2) }.Select(machine =>
        {
            using var vectors = Samples.Initialized(model);
            Samples.Train(
                Architectures.Open(model), Optimizers.Open(Samples.Optimizer()), vectors, machine.Item1,
                Enumerable.Range(0, 4).Select(i => Samples.MicroBatches(model, 4, 2, i)), threadsOfDevice: machine.Item2);
            return Samples.DigestOf(vectors);
        });
        Assert.Single(digests.Distinct());
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void Merged_the_model_computes_what_it_and_its_adapters_compute(string kind)
    {
        var model = (kind == "gpt2" ? Samples.Tiny() : Samples.Llama(2, 4, 2, 32, 16, 97)) with
        {
            Lora = Rank4 with { Targets = kind == "gpt2" ? ["c_attn", "c_proj", "c_fc"] : ["q_proj", "k_proj", "o_proj", "down_proj"] },
        };
        using var vectors = Samples.Initialized(model);
        Samples.Train(
            Architectures.Open(model), Optimizers.Open(Samples.Optimizer()), vectors, 1,
            Enumerable.Range(0, 5).Select(i => Samples.MicroBatches(model, 2, 2, i)), rate: _ => 0.02);
        using var merged = Adapters.Merge(vectors, model);
        using var device = Samples.Device(vectors, model);
        using var alone = Samples.Device(merged, model.WithoutAdapters());
        int[] tokens = [5, 2, 9, 1];
        float[] expected = device.Logits(tokens), actual = alone.Logits(tokens);
        var largest = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-6 * Math.Max(1, largest));
        using var untrained = Samples.Initialized(model.WithoutAdapters());
        Assert.Contains(untrained.Layout.Segments, s => !Floats(untrained, s.Name).SequenceEqual(Floats(merged, s.Name)));
    }

    [Fact]
    public void A_frozen_A_stays_as_it_was_drawn()
    {
        var model = Samples.Tiny() with { Lora = Rank4 with { FreezesA = true } };
        using var vectors = Samples.Initialized(model);
        using var before = Samples.Initialized(model);
        Samples.Train(
            Architectures.Open(model), Optimizers.Open(Samples.Optimizer()), vectors, 1,
            Enumerable.Range(0, 3).Select(i => Samples.MicroBatches(model, 2, 2, i)));
        foreach (var segment in vectors.Layout.Segments)
            Assert.Equal(
                !segment.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal),
                Floats(before, segment.Name).SequenceEqual(Floats(vectors, segment.Name)));
    }

    // Checkpoints are compared by it: where A is frozen, the parameters lie in another order.
    [Fact]
    public void The_signature_says_which_layout_a_checkpoint_has()
    {
        var (trained, frozen) = (Samples.Tiny() with { Lora = Rank4 }, Samples.Tiny() with { Lora = Rank4 with { FreezesA = true } });
        Assert.False(Architectures.LayoutOf(trained).IsSameAs(Architectures.LayoutOf(frozen)));
        Assert.NotEqual(trained.Signature, frozen.Signature);
        Assert.EndsWith(" lora 4 of the attention with A frozen", frozen.Signature, StringComparison.Ordinal);
    }

    [Fact]
    public void A_layer_that_is_not_there_is_named_with_those_that_are()
    {
        var error = Assert.Throws<ElasticException>(
            () => Architectures.Open(Samples.Tiny() with { Lora = Rank4 with { Targets = ["c_proj", "q_proj"] } }));
        Assert.Equal(
            "model.lora-targets: no linear layer of this model is called \"q_proj\"; use c_attn, c_proj, c_fc", error.Message);
        error = Assert.Throws<ElasticException>(
            () => Architectures.Open(Samples.Tiny() with { Lora = ModelSettings.Defaults.Lora with { Targets = ["c_proj"] } }));
        Assert.Contains("mean nothing without adapters: set model.lora-rank", error.Message, StringComparison.Ordinal);
    }

    private static ModelSettings ConfiguredGpt2() => Samples.Model(12, 12, 768, 1024, 50257) with { Lora = Rank4 };

    private static float[] Floats(ReplicaVectors vectors, string name) =>
        vectors.Floats(VectorSet.Parameters, vectors.Layout[name].Offset, (int)vectors.Layout[name].Count).ToArray();
}
