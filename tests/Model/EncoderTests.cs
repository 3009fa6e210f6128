using CsCheck;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tests.Reference;

namespace Elastic.Model.Tests;

/// <summary>
/// BERT and the encoder-decoder against PyTorch's own layers in float64. Tolerance of the numbers: 1e-5 relative per tensor, where relative
/// is max |a - b| / max |b|.
/// </summary>
public class EncoderTests(ITestOutputHelper output)
{
    private const double Tolerance = 1e-5;

    [Theory]
    [InlineData("bert")]
    [InlineData("bert_pairs")]
    [InlineData("transformer")]
    public void Logits_the_loss_and_every_gradient_agree_with_the_reference(string architecture)
    {
        using var reference = new EncoderReference(architecture);
        var model = reference.Model;
        using var vectors = reference.Parameters();
        using var device = Samples.Device(vectors, model, reference.Smoothing);
        var (sources, places) = (reference.Sources.Length / reference.Batch, reference.Places);
        for (var row = 0; row < reference.Batch; row++)
        {
            var error = ReferenceNumbers.RelativeError(
                device.Logits(reference.Sources.AsSpan(row * sources, sources), reference.Inputs.AsSpan(row * places, places)),
                reference.Logits.AsSpan(row * model.Vocabulary, model.Vocabulary));
            Assert.True(error < Tolerance, $"logits of row {row}: {error:E2}");
        }
        var loss = device.Accumulate([reference.MicroBatch], default).Single() / reference.MicroBatch.StepTargets;
        Assert.Equal(1, loss / reference.Loss, 1e-6);
        var (worst, all, gradients) = (0.0, Samples.GradientOf(device), reference.Gradients.ToDictionary(g => g.Name, g => g.Values));
        foreach (var (name, expected) in gradients)
        {
            var segment = vectors.Layout[name];
            var actual = all.AsSpan((int)segment.Offset, (int)segment.Count);
            // A bias of keys adds the same to all scores of a query: its gradient is zero but for rounding.
            var query = name.Replace(".key.bias", ".query.bias", StringComparison.Ordinal)
                .Replace(".k_proj.bias", ".q_proj.bias", StringComparison.Ordinal);
            var error = query == name
                ? ReferenceNumbers.RelativeError(actual, expected)
                : actual.ToArray().Max(Math.Abs) / gradients[query].Max(Math.Abs);
            Assert.True(error < Tolerance, $"{name}: {error:E2}");
            worst = Math.Max(worst, error);
        }
        Assert.Equal(vectors.Layout.Segments.Count, gradients.Count);
        output.WriteLine($"worst gradient {worst:E2}");
    }

    [Theory]
    [InlineData("bert", 30_522, 512, 12, 12, 768, 109_514_298)]          // BERT base, uncased, without pooler and next sentence
    [InlineData("transformer", 37_000, 512, 6, 8, 512, 63_082_496)]      // the base model with 37,000 tokens: "65 million"
    public void Published_shapes_have_the_parameters_that_they_are_known_for(
        string architecture, int vocabulary, int context, int layers, int heads, int width, long parameters)
    {
        var model = Samples.Of(architecture, layers, heads, width, context, vocabulary);
        Assert.Empty(model.Problems());
        Assert.Equal(parameters, Architectures.LayoutOf(model).Segments.Sum(s => s.Count));
    }

    [Fact]
    public void The_parameters_are_known_from_the_settings_before_anything_is_made_for_them() => (
        from isBert in Gen.Bool
        from layers in Gen.Int[1, 3]
        from heads in Gen.Int[1, 5]
        from half in Gen.Int[1, 5]
        from context in Gen.Int[1, 40]
        from vocabulary in Gen.Int[2, 300]
        select Samples.Of(isBert ? "bert" : "transformer", layers, heads, heads * 2 * half, context, vocabulary)).Sample(model =>
    {
        Assert.Empty(model.Problems());
        var made = Architectures.LayoutOf(model).Segments.Sum(s => s.Count);
        Assert.Equal(made + (model.PaddedVocabulary - model.Vocabulary) * (long)model.Width, model.Parameters);
    });

    [Theory]
    [InlineData("bert")]
    [InlineData("transformer")]
    public void What_stands_behind_the_end_changes_no_bit_of_what_is_counted(string architecture)
    {
        using var reference = new EncoderReference(architecture);
        using var vectors = reference.Parameters();
        var batch = reference.MicroBatch;
        int[] Other(int[] tokens, Func<int, bool> isBehind) =>
            [.. tokens.Select((token, i) => isBehind(i) ? (token + 7) % reference.Model.Vocabulary : token)];
        var other = reference.Model.ReadsPairs
            ? batch with { Sources = Other(batch.Sources!, i => batch.SourceSegments()[i] == 1) }
            : batch with { Inputs = Other(batch.Inputs, i => batch.Segments![i] == 1) };
        Assert.NotEqual(batch.Sources ?? batch.Inputs, other.Sources ?? other.Inputs);
        var (losses, gradients) = Gradients(batch);
        var (otherLosses, otherGradients) = Gradients(other);
        Assert.Equal(losses, otherLosses);
        // + 0: the rows of tokens that are never counted are zero, of either sign.
        Assert.Equal(gradients.Select(g => g + 0), otherGradients.Select(g => g + 0));

        (double[] Losses, float[] Gradient) Gradients(MicroBatch micro)
        {
            using var device = Samples.Device(vectors, reference.Model);
            return (device.Accumulate([micro], default), Samples.GradientOf(device));
        }
    }

    [Fact]
    public void Positions_are_sines_and_cosines_of_the_paper()
    {
        var (places, width) = (50, 12);
        var table = new SinusoidalPositions(places, width);
        for (var place = 0; place < places; place++)
        {
            for (var i = 0; i < width / 2; i++)
            {
                var angle = place / Math.Pow(10_000, 2.0 * i / width);
                Assert.Equal(Math.Sin(angle), table.Values[place * width + i], 1e-7);
                Assert.Equal(Math.Cos(angle), table.Values[place * width + width / 2 + i], 1e-7);
            }
        }
    }

    [Theory]
    [InlineData("bert", 4, 0.0)]
    [InlineData("bert", 5, 0.2)]
    [InlineData("transformer", 4, 0.0)]
    [InlineData("transformer", 5, 0.2)]
    public void One_two_three_or_eight_devices_at_once_give_the_same_parameters_and_moments(
        string architecture, int microBatches, double dropout)
    {
        var model = Samples.Of(architecture, 2, 4, 32, 16, 97) with { Dropout = dropout };
        var digests = new[] { 1, 2, 3, 8 }.Select(devices => DeviceCountTests.Train(model, devices, microBatches, 4));
        Assert.Single(digests.Distinct());
    }

    [Theory]
    [InlineData("bert")]
    [InlineData("transformer")]
    public void Threads_of_a_device_leave_no_trace_either(string architecture)
    {
        // Wide enough that every operator has pieces for several threads.
        var model = Samples.Of(architecture, 2, 4, 96, 64, 1009) with { Dropout = 0.1 };
        Assert.Single(new[] { 1, 2, 3 }.Select(threads => DeviceCountTests.Train(model, 1, 3, 2, threads: threads)).Distinct());
    }

    [Fact]
    public void A_network_with_an_encoder_needs_a_source_and_others_take_none()
    {
        foreach (var architecture in new[] { "transformer", "gpt2" })
        {
            var model = Samples.Of(architecture, 1, 2, 8, 4, 11);
            using var vectors = Samples.Initialized(model);
            using var device = Samples.Device(vectors, model);
            Assert.Throws<ArgumentException>(() => device.Logits(model.ReadsPairs ? [] : [1], [2, 3]));
        }
    }

    [Fact]
    public void Settings_that_do_not_fit_are_refused()
    {
        Assert.Contains("use an even number", Samples.Of("transformer", 1, 1, 9, 4, 11).Problems().Single(), StringComparison.Ordinal);
        var masked = Samples.Of("bert", 1, 1, 8, 4, 11) with { Bert = new BertSettings { MaskToken = 11, ClassToken = null } };
        Assert.Equal(["model.mask-token = 11: use a token below model.vocabulary = 11"], masked.Problems());
        Assert.Equal(
            ["model.mask-token = 11 means nothing to model.architecture = \"gpt2\": use \"bert\", or leave it out"],
            (masked with { Architecture = "gpt2" }).Problems());
        masked = masked with { Bert = new BertSettings { MaskToken = 10, ClassToken = 12 } };
        Assert.Equal(["model.class-token = 12: use a token below model.vocabulary = 11"], masked.Problems());
    }
}
