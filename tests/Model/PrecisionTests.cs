using System.Security.Cryptography;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Steps in bf16 and fp16: their bits, their memory, and what they are for.</summary>
public class PrecisionTests
{
    internal static readonly Dictionary<string, ModelSettings> Kinds = new()
    {
        ["gpt2"] = Samples.Tiny(0.1),
        ["llama"] = LlamaTests.Small(0.1),
        ["bert"] = Samples.Of("bert", 2, 4, 32, 16, 97) with { Dropout = 0.1 },
        ["transformer"] = Samples.Of("transformer", 2, 4, 32, 16, 97) with { Dropout = 0.1 },
        ["adapters"] = Samples.Tiny() with { Lora = ModelSettings.Defaults.Lora with { Rank = 3 } },
    };

    [Theory]
    [InlineData(TrainingPrecision.Bf16, "gpt2")]
    [InlineData(TrainingPrecision.Fp16, "gpt2")]
    [InlineData(TrainingPrecision.Bf16, "llama")]
    [InlineData(TrainingPrecision.Fp16, "llama")]
    [InlineData(TrainingPrecision.Bf16, "bert")]
    [InlineData(TrainingPrecision.Fp16, "bert")]
    [InlineData(TrainingPrecision.Bf16, "transformer")]
    [InlineData(TrainingPrecision.Fp16, "transformer")]
    [InlineData(TrainingPrecision.Fp16, "adapters")]
    [InlineData(TrainingPrecision.Bf16, "gpt2", "muon")]
    public void One_two_three_four_or_eight_devices_give_the_same_parameters_moments_and_loss_scale(
        TrainingPrecision precision, string kind, string optimizer = "adamw")
    {
        var digests = new[] { 1, 2, 3, 4, 8 }.Select(devices => Train(precision, Kinds[kind], devices, optimizer).Digest).ToList();
        Assert.Single(digests.Distinct());
        Assert.NotEqual(digests[0], Train(TrainingPrecision.Fp32, Kinds[kind], 1, optimizer).Digest);
    }

    // The update of an adapter follows from what it stands beside: with other weights there it would go elsewhere.
    [Fact]
    public void Adapters_train_beside_the_frozen_weights_in_16_bits()
    {
        var model = Kinds["adapters"];
        using var start = Samples.Initialized(model);
        using var wide = Samples.Initialized(model);
        using var narrow = Samples.Initialized(model);
        var batches = new[] { Samples.MicroBatches(model, 2, 2, 0), Samples.MicroBatches(model, 2, 2, 1) };
        Samples.Train(Architectures.Open(model), new AdamW(Samples.Optimizer()), wide, 2, batches);
        Samples.Train(Architectures.Open(model), new AdamW(Samples.Optimizer()), narrow, 2, batches, precision: Precision.Bf16);
        Assert.InRange(Distance(wide, narrow), 0, 0.3 * Distance(wide, start));
    }

    [Theory]
    [InlineData(TrainingPrecision.Bf16)]
    [InlineData(TrainingPrecision.Fp16)]
    public void Threads_and_blocks_that_are_computed_twice_do_not_show(TrainingPrecision precision)
    {
        // Wide enough that every operator has pieces for several threads. What is computed twice is not kept in 16 bits meanwhile.
        var model = Samples.Model(2, 4, 96, 64, 1009) with { Dropout = 0.1 };
        Digest Of(int threads, RecomputeMode recompute)
        {
            using var vectors = Samples.Initialized(model);
            using var device = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), 0.1, threads, recompute);
            device.Attach(vectors);
            var inline = new InlineDevice(device);
            var step = new TrainingStep(
                [inline], new LocalCollective([inline]), vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Of(precision));
            for (var i = 0; i < 2; i++)
                step.RunAsync(Samples.MicroBatches(model, 3, 2, i), new DropoutSeed(1, 0, 0, i), 1e-2, i + 1).GetAwaiter().GetResult();
            return DigestOf(vectors);
        }
        Assert.Single(new[] { Of(1, RecomputeMode.None), Of(3, RecomputeMode.None), Of(1, RecomputeMode.Blocks) }.Distinct());
    }

    // The scale is one too large for the first step: it is skipped, and the rest is what starts with half of that scale.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(8)]
    public void An_overflow_skips_exactly_its_step_on_every_number_of_devices(int devices)
    {
        var model = Samples.Tiny();
        var largest = LargestCleanExponent(model);
        using var vectors = Samples.Initialized(model);
        using var undisturbed = Samples.Initialized(model);
        (new LossScale(largest + 1, 7, 0)).Write(vectors);
        (new LossScale(largest, 0, 1)).Write(undisturbed);
        var batches = Samples.MicroBatches(model, 4, 2, 0);
        var before = Samples.DigestOf(vectors);

        // Step 1 overflows; steps 2 and 3 are the optimizer's first and second.
        var losses = Fp16(vectors, model, devices, [1], batches);
        Assert.Equal(before, Samples.DigestOf(vectors));
        Assert.Equal(new LossScale(largest, 0, 1), LossScale.Read(vectors));
        Assert.Equal(Math.Log(model.Vocabulary), losses[0], 0.1);
        Fp16(vectors, model, devices, [2, 3], batches);
        Fp16(undisturbed, model, 1, [2, 3], batches);
        Assert.Equal(2, LossScale.Read(vectors).CleanSteps);
        Assert.Equal(DigestOf(undisturbed), DigestOf(vectors));

        // With fp32's own steps 1 and 2: the count that AdamW corrects its moments by did not go on. Another count gives parameters that
        // differ by more than all rounding.
        using var wide = Samples.Initialized(model);
        Samples.Train(Architectures.Open(model), new AdamW(Samples.Optimizer()), wide, 1, [batches, batches]);
        Assert.InRange(Distance(wide, vectors), 0, 0.05 * Distance(wide, Samples.Initialized(model)));
    }

    [Fact]
    public async Task Gradients_that_overflow_without_a_scale_end_the_run_and_so_does_a_loss_that_is_no_number()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        var batches = Samples.MicroBatches(model, 1, 2, 0);
        using (var device = Samples.Device(vectors, model))
        {
            new LossScale(1, 0, 0).Write(vectors);
            var inline = new InlineDevice(device);
            var step = new TrainingStep(
                [inline], new OverflowingCollective(), vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Fp16);
            await step.RunAsync(batches, default, 1e-3, 1);
            Assert.Equal(new LossScale(0, 0, 1), LossScale.Read(vectors));
            Assert.Equal(
                "the gradient of inner step 2 is not finite in fp16, even where the loss is not scaled: use run.precision = bf16, or a "
                + "smaller optimizer.learning-rate",
                (await Assert.ThrowsAsync<ElasticException>(() => step.RunAsync(batches, default, 1e-3, 2))).Message);
        }
        var bias = vectors.Layout["transformer.h.0.ln_1.bias"];
        vectors.Floats(VectorSet.Parameters, bias.Offset, (int)bias.Count).Fill(1e6f);
        Assert.Contains(
            "an activation is larger than fp16's largest number, 65504",
            Assert.Throws<ElasticException>(() => Fp16(vectors, model, 1, [3], batches)).Message, StringComparison.Ordinal);
    }

    // What the scale is for: without one the smallest gradients are zeros in fp16.
    [Fact]
    public void Scaled_gradients_are_nearer_to_those_of_fp32_than_gradients_without_a_scale()
    {
        var model = Samples.Tiny();
        var (exact, scaled, plain) = (Gradient(Precision.Fp32, 1), Gradient(Precision.Fp16, 1 << 12), Gradient(Precision.Fp16, 1.0 / 64));
        Assert.InRange(Difference(exact, scaled), 1e-6, 2e-3);
        Assert.InRange(Difference(exact, plain), 2 * Difference(exact, scaled), 1);
        Assert.InRange(Difference(exact, Gradient(Precision.Bf16, 1)), 2 * Difference(exact, scaled), 2e-2);

        float[] Gradient(Precision precision, double scale)
        {
            using var vectors = Samples.Initialized(model);
            using var device = Samples.Device(vectors, model);
            if (precision.IsNarrow)
                device.NarrowSlice(Slice.Split(vectors.Layout, 1)[0], precision);
            device.Accumulate(Samples.MicroBatches(model, 2, 2, 1), default, precision, scale);
            return [.. Samples.GradientOf(device).Select(g => (float)(g / scale))];
        }
    }

    // Four fifths of the tokens follow from the one before: what is to be learned is 1.3 nats below a uniform guess or better.
    [Theory]
    [InlineData(TrainingPrecision.Bf16)]
    [InlineData(TrainingPrecision.Fp16)]
    public void Training_reaches_the_loss_of_fp32_within_a_hundredth(TrainingPrecision precision)
    {
        var model = Samples.Tiny();
        double LossAfter(TrainingPrecision of)
        {
            using var vectors = Samples.Initialized(model);
            Samples.Train(
                Architectures.Open(model), new AdamW(Samples.Optimizer()), vectors, 1, Enumerable.Range(0, 120).Select(Following),
                rate: step => 1e-2 * Math.Min(1, (step + 1) / 10.0), precision: Precision.Of(of));
            using var device = Samples.Device(vectors, model);
            return Enumerable.Range(1000, 8).SelectMany(Following).SelectMany(device.Losses).Average();
        }
        var expected = LossAfter(TrainingPrecision.Fp32);
        Assert.InRange(expected, 0.5, Math.Log(model.Vocabulary) - 1.3);
        Assert.InRange(LossAfter(precision), 0.99 * expected, 1.01 * expected);

        IReadOnlyList<Batches.MicroBatch> Following(int seed)
        {
            var (random, tokens) = (new Random(seed), new int[4 * (model.Context + 1)]);
            for (var i = 0; i < tokens.Length; i++)
                tokens[i] = i == 0 || random.Next(5) == 0 ? random.Next(model.Vocabulary) : (5 * tokens[i - 1] + 3) % model.Vocabulary;
            return Architectures.Open(model).Batching.MicroBatches(Batches.Sample.Cut(tokens, 4), 2);
        }
    }

    // Kept of a layer of GPT-2 are 16 C a row (RecomputationTests); two residual sums of C stay fp32, the other 14 C take half. What
    // norms and attention save fits into gaps.
    [Fact]
    public void Another_layer_keeps_its_activations_in_half_the_memory_but_for_the_residual_stream()
    {
        const int C = 64, H = 4, T = 64, Rows = 2 * T;
        long Floats(int layers, Precision precision)
        {
            var model = Samples.Model(layers, H, C, T, 128);
            var tape = new Tape(TapePurpose.Training, new BatchShape(1, 2, T), Architectures.LayoutOf(model), 0, precision);
            Architectures.Open(model).Record(tape);
            return new MemoryPlan(tape, 1).Floats;
        }
        Assert.InRange((Floats(12, Precision.Bf16) - Floats(8, Precision.Bf16)) / (4.0 * Rows * (9 * C + 4 + 2 * H)), 0.97, 1.02);
        Assert.InRange(Floats(12, Precision.Fp16) / (double)Floats(12, Precision.Fp32), 0.5, 0.7);
    }

    [Fact]
    public void Training_memory_counts_the_working_copy_and_the_smaller_activations()
    {
        var wide = TrainingMemoryTests.Of(Samples.Model(8, 4, 64, 64, 97), sequences: 8, micro: 8);
        var (full, half) = (TrainingPlan.OfReplica(wide, 1).Memory,
            TrainingPlan.OfReplica(wide with { Run = wide.Run with { Precision = TrainingPrecision.Bf16 } }, 1).Memory);
        Assert.Equal(full.VectorBytes * 3.5 / 3, half.VectorBytes);
        Assert.Equal(full.GradientBytes, half.GradientBytes);
        Assert.InRange(half.ActivationBytes, 0.4 * full.ActivationBytes, 0.7 * full.ActivationBytes);
    }

    internal static (Digest Digest, double[] Losses) Train(
        TrainingPrecision precision, ModelSettings model, int devices, string optimizer = "adamw")
    {
        using var vectors = Samples.Initialized(model);
        var settings = Samples.Optimizer() with { Kind = optimizer };
        var losses = Samples.Train(
            Architectures.Open(model), Optimizers.Open(settings), vectors, devices,
            Enumerable.Range(0, 3).Select(step => Samples.MicroBatches(model, 5, 2, step)), 0.1, precision: Precision.Of(precision));
        return (DigestOf(vectors), losses);
    }

    // Steps of these numbers on the same micro-batches.
    private static double[] Fp16(
        ReplicaVectors vectors, ModelSettings model, int devices, int[] numbers, IReadOnlyList<Batches.MicroBatch> batches)
        => Samples.Train(
            Architectures.Open(model), new AdamW(Samples.Optimizer()), vectors, devices, numbers.Select(_ => batches),
            precision: Precision.Fp16, firstNumber: numbers[0]);

    private static int LargestCleanExponent(ModelSettings model)
    {
        for (var exponent = LossScale.FirstExponent; ; exponent++)
        {
            using var vectors = Samples.Initialized(model);
            new LossScale(exponent, 0, 0).Write(vectors);
            Fp16(vectors, model, 1, [1], Samples.MicroBatches(model, 4, 2, 0));
            if (LossScale.Read(vectors).SkippedSteps > 0)
                return exponent - 1;
        }
    }

    private static double Distance(ReplicaVectors a, ReplicaVectors b)
        => Math.Sqrt(Samples.Values(a.Parameters).Zip(Samples.Values(b.Parameters)).Sum(p => Math.Pow(p.First - p.Second, 2)));

    // As if an element of the gradient had overflowed, whatever the scale.
    private sealed class OverflowingCollective : ICollective
    {
        public Task<IReadOnlyList<double>> ReduceScatterAsync(
            IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
            => Task.FromResult<IReadOnlyList<double>>([1, double.PositiveInfinity]);

        public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline) => throw new NotSupportedException();

        public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => Task.CompletedTask;

        public void Abort(string why)
        {
        }
    }

    // Relative, in the Euclidean norm.
    private static double Difference(float[] exact, float[] other) => Math.Sqrt(
        exact.Zip(other).Sum(p => Math.Pow((double)p.First - p.Second, 2)) / exact.Sum(x => (double)x * x));

    private static Digest DigestOf(ReplicaVectors vectors)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in new[] { VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment, VectorSet.LossScale })
            hash.AppendData(vectors.Bytes(name, 0, (int)vectors.Layout.LengthOf(name)));
        return Digest.Of(hash);
    }
}
