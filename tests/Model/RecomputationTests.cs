using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Blocks that are computed again in place of being kept: other memory, the same bits.</summary>
public class RecomputationTests
{
    // Five layers: groups of three and of two. The encoder's and the decoder's are grouped apart.
    private static readonly Dictionary<string, ModelSettings> Kinds = new()
    {
        ["gpt2"] = Samples.Model(5, 4, 32, 24, 97),
        ["llama"] = Samples.Llama(5, 4, 2, 32, 24, 97),
        ["bert"] = Samples.Of("bert", 5, 4, 32, 24, 97),
        ["transformer"] = Samples.Of("transformer", 5, 4, 32, 24, 97),
        ["adapters"] = Samples.Model(5, 4, 32, 24, 97) with { Lora = ModelSettings.Defaults.Lora with { Rank = 3 } },
    };

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32)]
    [InlineData("gpt2", TrainingPrecision.Bf16)]
    [InlineData("gpt2", TrainingPrecision.Fp16)]
    [InlineData("llama", TrainingPrecision.Fp32)]
    [InlineData("llama", TrainingPrecision.Bf16)]
    [InlineData("llama", TrainingPrecision.Fp16)]
    [InlineData("bert", TrainingPrecision.Fp32)]
    [InlineData("bert", TrainingPrecision.Bf16)]
    [InlineData("bert", TrainingPrecision.Fp16)]
    [InlineData("transformer", TrainingPrecision.Fp32)]
    [InlineData("transformer", TrainingPrecision.Bf16)]
    [InlineData("transformer", TrainingPrecision.Fp16)]
    [InlineData("adapters", TrainingPrecision.Fp32)]
    public void Losses_parameters_and_moments_have_the_same_bits(string kind, TrainingPrecision precision)
    {
        var model = Kinds[kind] with { Dropout = 0.2 };
        (string Losses, Digest Digest, long Floats) Train(RecomputeMode recompute)
        {
            using var vectors = Samples.Initialized(model);
            using var device = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), 0.1, 2, recompute);
            device.Attach(vectors);
            var inline = new InlineDevice(device);
            var step = new TrainingStep(
                [inline], new LocalCollective([inline]), vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Of(precision));
            double[] losses = [.. Enumerable.Range(0, 2).Select(i => step.RunAsync(
                Samples.MicroBatches(model, 3, 2, i), new DropoutSeed(1, 0, 0, i), 1e-2, i + 1).GetAwaiter().GetResult())];
            return (string.Join(' ', losses), Samples.DigestOf(vectors), Used(Plan(model, 2, recompute, Precision.Of(precision))));
        }
        // Between blocks of a model as small as this one there are gaps.
        static long Used(MemoryPlan plan) => plan.Floats - plan.Fullest().Gaps;
        var (kept, blocks, full) = (Train(RecomputeMode.None), Train(RecomputeMode.Blocks), Train(RecomputeMode.Full));
        Assert.Equal((kept.Losses, kept.Digest), (blocks.Losses, blocks.Digest));
        Assert.Equal((kept.Losses, kept.Digest), (full.Losses, full.Digest));
        Assert.True(kept.Floats > blocks.Floats && blocks.Floats > full.Floats, $"{kept.Floats}, {blocks.Floats}, {full.Floats} floats");
    }

    // Kept of a layer, a row of C channels and H heads: without recomputation 16 C (two norms of C, 3 C of q, k and v, C of attention, two
    // residual sums of C, 4 C before and after GELU), mean and deviation of each norm, 2 H of attention; with it the C that the layer
    // ends in.
    [Fact]
    public void Another_layer_takes_its_output_alone()
    {
        const int C = 64, H = 4, T = 64, Sequences = 2, Rows = Sequences * T;
        long Floats(int layers, RecomputeMode recompute) => Plan(Samples.Model(layers, H, C, T, 128), Sequences, recompute).Floats;
        // Gaps that nothing fits change a little from layer to layer.
        Assert.InRange((Floats(12, RecomputeMode.None) - Floats(8, RecomputeMode.None)) / (4.0 * Rows * (16 * C + 4 + 2 * H)), 1, 1.01);
        Assert.Equal(Rows * C, Floats(9, RecomputeMode.Blocks) - Floats(8, RecomputeMode.Blocks));
        Assert.InRange(Floats(12, RecomputeMode.Blocks), 0, Floats(12, RecomputeMode.None) / 3);
        // 64 layers keep one such row for each of 8 groups, and 7 within the group that is at hand.
        Assert.Equal((63 - 14) * Rows * C, Floats(64, RecomputeMode.Blocks) - Floats(64, RecomputeMode.Full));
    }

    [Fact]
    public void What_only_the_next_block_reads_is_not_computed_again()
    {
        var plan = Plan(Samples.Model(2, 4, 32, 16, 97), 1, RecomputeMode.Blocks);
        // The embedding, twice ten operations, the last norm and the head; of each layer neither the last product nor its sum comes again.
        Assert.Equal(23, plan.Steps.Count(s => s.Kind == PassKind.Forward));
        Assert.Equal(23, plan.Steps.Count(s => s.Kind == PassKind.Backward));
        Assert.Equal(
            [.. Enumerable.Range(11, 8), .. Enumerable.Range(1, 8)],
            plan.Steps.Where(s => s.Kind == PassKind.Recompute).Select(s => s.Index));
        // Both layers are one group: what goes from the first to the second is made again, with both sums that lead there.
        Assert.Equal(
            [.. Enumerable.Range(1, 10), .. Enumerable.Range(11, 8), .. Enumerable.Range(1, 8)],
            Plan(Samples.Model(2, 4, 32, 16, 97), 1, RecomputeMode.Full).Steps.Where(s => s.Kind == PassKind.Recompute)
                .Select(s => s.Index));
        Assert.DoesNotContain(Plan(Samples.Tiny(), 1, RecomputeMode.None).Steps, s => s.Kind == PassKind.Recompute);
    }

    [Fact]
    public void A_training_that_recomputes_is_planned_with_less_memory_and_the_refusal_names_it()
    {
        var settings = TrainingMemoryTests.Of(Samples.Model(8, 4, 64, 64, 97), sequences: 8, micro: 8);
        var recomputing = settings with { Batch = settings.Batch with { Recompute = RecomputeMode.Blocks } };
        var (kept, again) = (TrainingPlan.OfReplica(settings, 1), TrainingPlan.OfReplica(recomputing, 1));
        Assert.Equal(kept.Vectors, again.Vectors);
        Assert.InRange(again.Pass.Bytes, 0, kept.Pass.Bytes / 2);
        // Forward 1, backward 2, and a bit less than 1 again; the head's three products never.
        Assert.InRange(again.FlopsOfStep / kept.FlopsOfStep, 1.1, 4.0 / 3);
        Assert.Contains("set batch.recompute = blocks (", kept.Problem(again.Memory.Bytes), StringComparison.Ordinal);
        Assert.DoesNotContain("recompute = blocks", again.Problem(1), StringComparison.Ordinal);
    }

    // The norm is computed again for what it saves. Until then the next block, whose backward pass comes first, reads the first output.
    [Fact]
    public void A_block_may_end_in_an_operation_that_is_computed_again()
    {
        var architecture = new PostNorm();
        float[] Gradient(RecomputeMode recompute)
        {
            using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters));
            Initialization.Fill(vectors, 3);
            using var device = new CpuDevice(new DeviceId("cpu:0"), architecture, recompute: recompute);
            device.Attach(vectors);
            device.Accumulate(Samples.MicroBatches(Samples.Model(1, 1, 1, 8, 30), 1, 4, 1), default);
            return Samples.GradientOf(device);
        }
        var kept = Gradient(RecomputeMode.None);
        Assert.Equal(kept, Gradient(RecomputeMode.Blocks));
        Assert.Equal(kept, Gradient(RecomputeMode.Full));
    }

    [Fact]
    public void Blocks_do_not_nest()
    {
        var tape = new Tape(TapePurpose.Training, new BatchShape(1, 2, 1), new FlatLayout(new ToyArchitecture().Parameters));
        using var block = tape.BeginBlock();
        Assert.Throws<InvalidOperationException>(tape.BeginBlock);
    }

    [Theory]
    [InlineData(true)]                                                               // by an operation of the block
    [InlineData(false)]                                                              // by a later one
    public void A_block_whose_input_is_overwritten_is_refused(bool inBlock)
    {
        var tape = new Tape(TapePurpose.Training, new BatchShape(1, 2, 1), new FlatLayout(new ToyArchitecture().Parameters));
        Value Layer(Value of) => tape.Linear(of, ToyArchitecture.Layer);
        Value e = tape.Embed(ToyArchitecture.Table, null, null), x = Layer(e), y;
        using (tape.BeginBlock())
            y = Layer(inBlock ? tape.Residual(Layer(e), x, null) : tape.Residual(x, Layer(e), null));
        tape.CrossEntropy(inBlock ? y : tape.Residual(y, x, null), ToyArchitecture.Head);
        Assert.Contains(
            "ResidualOperation overwrites what a block reads",
            Assert.ThrowsAny<Exception>(() => new MemoryPlan(tape, 1, RecomputeMode.Blocks)).Message, StringComparison.Ordinal);
        Assert.True(new MemoryPlan(tape, 1).Floats > 0);
    }

    // Blocks as Vaswani et al. (2017) have them: the norm comes last.
    private sealed class PostNorm : IArchitecture
    {
        private const int C = 16, Blocks = 5, Words = 30;

        public string Signature => "post-norm";

        public int Context => 8;

        public int Vocabulary => Words;

        public IBatching Batching { get; } = new CausalBatching();

        public IReadOnlyList<ParameterSpec> Parameters { get; } =
        [
            Normal("table", Words, C),
            .. Enumerable.Range(0, Blocks).SelectMany(i => new[]
            {
                Normal($"{i}.up.weight", C, C), Normal($"{i}.up.bias", C), Normal($"{i}.norm.weight", C), Normal($"{i}.norm.bias", C),
            }),
            Normal("head", Words, C),
        ];

        public void Record(Tape tape)
        {
            var x = tape.Embed("table", null, null);
            for (var i = 0; i < Blocks; i++)
            {
                using var block = tape.BeginBlock();
                var sum = tape.Residual(x, tape.Linear(x, $"{i}.up"), null);
                x = tape.LayerNorm(sum, $"{i}.norm", 1e-5);
            }
            tape.CrossEntropy(x, "head");
        }

        private static ParameterSpec Normal(string name, params long[] shape) => new(name, shape, true, new ParameterInit.Normal(1));
    }

    private static MemoryPlan Plan(ModelSettings model, int sequences, RecomputeMode recompute, Precision? precision = null)
    {
        var architecture = Architectures.Open(model);
        var tape = new Tape(
            TapePurpose.Training, new BatchShape(1, sequences, model.Context, architecture.SourceContext), Architectures.LayoutOf(model),
            precision: precision);
        architecture.Record(tape);
        return new MemoryPlan(tape, 1, recompute);
    }
}
