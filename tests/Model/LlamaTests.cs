using CsCheck;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Tests.Reference;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>
/// The Llama kind against an independent implementation in float64, and what is known of published models. Tolerance of the numbers: 1e-5
/// relative per tensor, where relative is max |a - b| / max |b|.
/// </summary>
public class LlamaTests(ITestOutputHelper output)
{
    private const double Tolerance = 1e-5;

    [Theory]
    [InlineData("llama")]
    [InlineData("llama_3_1")]
    [InlineData("qwen2")]
    [InlineData("qwen3")]
    [InlineData("mistral")]
    public void Logits_the_loss_and_every_gradient_agree_with_the_reference(string kind)
    {
        using var reference = new LlamaReference(kind);
        var model = reference.Model;
        using var vectors = reference.Parameters();
        using var device = Samples.Device(vectors, model);
        for (var row = 0; row < reference.Batch; row++)
        {
            var last = (row + 1) * model.Context - 1;
            var error = ReferenceNumbers.RelativeError(
                device.Logits(reference.Tokens.AsSpan(row * (model.Context + 1), model.Context)),
                reference.Logits.AsSpan(last * model.Vocabulary, model.Vocabulary));
            Assert.True(error < Tolerance, $"logits of row {row}: {error:E2}");
        }
        var loss = device.Accumulate(reference.MicroBatches, default).Single() / reference.MicroBatches[0].StepTargets;
        Assert.Equal(1, loss / reference.Loss, 1e-6);
        var (worst, all, count) = (0.0, Samples.GradientOf(device), 0);
        foreach (var (name, expected) in reference.Gradients)
        {
            var segment = vectors.Layout[name];
            var error = ReferenceNumbers.RelativeError(all.AsSpan((int)segment.Offset, (int)segment.Count), expected);
            Assert.True(error < Tolerance, $"{name}: {error:E2}");
            (worst, count) = (Math.Max(worst, error), count + 1);
        }
        Assert.Equal(vectors.Layout.Segments.Count, count);
        output.WriteLine($"worst gradient {worst:E2}");
    }

    [Fact]
    public void Logits_of_a_prefix_are_those_of_the_whole_text_unless_the_base_grows_with_its_length()
    {
        // The last row of a shorter text is a row of the longer one: what the reference has for it.
        foreach (var (kind, holds) in new[] { ("llama_3_1", true), ("qwen3", false) })
        {
            using var reference = new LlamaReference(kind);
            using var vectors = reference.Parameters();
            using var device = Samples.Device(vectors, reference.Model);
            const int length = 5;
            var error = ReferenceNumbers.RelativeError(
                device.Logits(reference.Tokens.AsSpan(0, length)),
                reference.Logits.AsSpan((length - 1) * reference.Model.Vocabulary, reference.Model.Vocabulary));
            Assert.Equal(holds, error < Tolerance);
        }
    }

    /// <summary>
    /// Layers, heads, key heads, head size, width, feed-forward, vocabulary; tied, biases, head norms; parameters that its makers count.
    /// </summary>
    public static TheoryData<ModelSettings, long> Published => new()
    {
        { Shape(32, 32, 32, 0, 4096, 0, 32_000), 6_738_415_616 },                              // Llama 2 7B
        { Shape(30, 9, 3, 0, 576, 1536, 49_152, tied: true), 134_515_008 },                    // SmolLM-135M
        { Shape(24, 14, 2, 0, 896, 4864, 151_936, tied: true, biases: true), 494_032_768 },    // Qwen2 0.5B
        { Shape(28, 16, 8, 128, 1024, 3072, 151_936, tied: true, norms: true), 596_049_920 },  // Qwen3 0.6B
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void Published_shapes_have_the_parameters_that_they_are_known_for(ModelSettings model, long parameters)
    {
        Assert.Empty(model.Problems());
        Assert.Equal(parameters, Architectures.LayoutOf(model).Segments.Sum(s => s.Count));
    }

    private static readonly Gen<ModelSettings> Models =
        from keyHeads in Gen.Int[1, 6]
        from queries in Gen.Int[1, 4]
        from half in Gen.Int[1, 5]
        from width in Gen.Int[1, 40]
        from feedForward in Gen.Int[0, 50]
        from vocabulary in Gen.Int[2, 300]
        from flags in Gen.Int[0, 7]
        select Shape(
            2, keyHeads * queries, keyHeads, 2 * half, width, feedForward, vocabulary,
            tied: (flags & 1) != 0, biases: (flags & 2) != 0, norms: (flags & 4) != 0);

    [Fact]
    public void The_parameters_are_known_from_the_settings_before_anything_is_made_for_them() => Models.Sample(model =>
    {
        Assert.Empty(model.Problems());
        // The layout holds the rows that pad the vocabulary, once or twice.
        var made = Architectures.LayoutOf(model).Segments.Sum(s => s.Count);
        var padding = (model.PaddedVocabulary - model.Vocabulary) * model.Width * (model.Llama.TiedEmbeddings ? 1 : 2);
        Assert.Equal(made + padding, model.Parameters);
    });

    [Fact]
    public void Parts_that_devices_may_share_have_whole_heads_of_keys_with_their_queries_and_equal_channels() => Models.Sample(model =>
    {
        var layout = Architectures.LayoutOf(model);
        foreach (var segment in layout.Segments)
        {
            if (segment.Parameter.Shared is not { } shared || segment.Name is LlamaArchitecture.TokenEmbedding or LlamaArchitecture.Head)
                continue;
            var unit = segment.Name.Contains("self_attn", StringComparison.Ordinal) ? model.HeadSize : 1;
            Assert.Equal(0, segment.Shape[shared.Axis] % (shared.Parts * unit));
        }
        var shares = layout.Segments.Select(s => s.Parameter.Shared?.Parts).OfType<int>().ToList();
        Assert.All(shares, parts => Assert.Equal(shares[0], parts));
        Assert.Equal(1, System.Numerics.BitOperations.PopCount((uint)shares[0]));
        if (model.KeyHeads % 2 == 0 && model.FeedForward % 2 == 0)
            Assert.True(shares[0] >= 2);
    });

    [Theory]
    [InlineData(LlamaArchitecture.TokenEmbedding, 0.02)]
    [InlineData(LlamaArchitecture.Head, 0.02)]
    [InlineData("model.layers.1.self_attn.k_proj.weight", 0.02)]
    [InlineData("model.layers.1.mlp.gate_proj.weight", 0.02)]
    [InlineData("model.layers.1.self_attn.o_proj.weight", 0.01)] // 0.02 / sqrt(2 * 2 layers)
    [InlineData("model.layers.0.mlp.down_proj.weight", 0.01)]
    public void Weights_are_normal_with_the_deviation_of_their_kind(string name, double deviation)
    {
        using var vectors = Samples.Initialized(Small());
        var segment = vectors.Layout[name];
        var values = vectors.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count).ToArray();
        Assert.Equal(0, values.Average(), 5 * deviation / Math.Sqrt(values.Length));
        Assert.Equal(deviation, Math.Sqrt(values.Average(v => (double)v * v)), 4 * deviation / Math.Sqrt(values.Length));
    }

    [Theory]
    [InlineData("1.self_attn.v_proj.", 2)]                               // queries and keys of the layer need no gradient
    [InlineData("1.mlp.up_proj.", 1)]                                    // nor does the gate
    public void Frozen_parameters_change_no_bit_of_the_other_gradients(string trained, int count)
    {
        var model = Small();
        using var vectors = Samples.Initialized(model);
        var whole = Gradients(new Frozen(model, _ => false), vectors);
        var some = Gradients(new Frozen(model, name => !name.Contains(trained, StringComparison.Ordinal)), vectors);
        Assert.Equal(count, some.Count);
        Assert.All(some, g => Assert.Equal(whole[g.Key], g.Value));
    }

    internal static ModelSettings Small(double dropout = 0, int window = 0) => Samples.Llama(2, 4, 2, 32, 16, 97, l => l with
    {
        FeedForward = 40,
        AttentionWindow = window,
        AttentionBiases = true,
        HeadNorms = true,
        Rotary = l.Rotary with { Scaling = RotaryScaling.Llama3, Factor = 2, OriginalContext = 8 },
    }) with
    { Dropout = dropout };

    private static ModelSettings Shape(
        int layers, int heads, int keyHeads, int headSize, int width, int feedForward, int vocabulary, bool tied = false,
        bool biases = false, bool norms = false) =>
        Samples.Llama(layers, heads, keyHeads, width, 64, vocabulary, l => l with
        {
            HeadSize = headSize,
            FeedForward = feedForward,
            TiedEmbeddings = tied,
            AttentionBiases = biases,
            HeadNorms = norms,
        });

    // The trained parameters' gradients by their names. The layout depends on what is trained.
    private static Dictionary<string, float[]> Gradients(Frozen architecture, ReplicaVectors full)
    {
        using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters));
        foreach (var segment in vectors.Layout.Segments)
            vectors.CopyFrom(
                VectorSet.Parameters, segment.Offset,
                full.Floats(VectorSet.Parameters, full.Layout[segment.Name].Offset, (int)segment.Count).ToArray());
        using var device = new Cpu.CpuDevice(new Messages.DeviceId("cpu:0"), architecture, 0.1);
        device.Attach(vectors);
        device.Accumulate(Samples.MicroBatches(architecture.Model, 2, 2, 1), default);
        var all = Samples.GradientOf(device);
        return vectors.Layout.Segments.Where(s => s.Parameter.IsTrained)
            .ToDictionary(s => s.Name, s => all[(int)s.Offset..(int)(s.Offset + s.Count)]);
    }
}
