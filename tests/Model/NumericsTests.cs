using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests.Reference;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>
/// The model against an independent one in float64. Tolerance: 1e-5 relative per tensor, where relative is max |a - b| / max |b|.
/// </summary>
public class NumericsTests(ITestOutputHelper output)
{
    private const double Tolerance = 1e-5;

    private static int Row => ReferenceNumbers.Model.Context + 1;

    [Fact]
    public void Logits_of_every_row_agree_with_the_reference()
    {
        using var vectors = ReferenceNumbers.Parameters();
        using var device = Device(vectors);
        var expected = ReferenceNumbers.Floats(ReferenceNumbers.Root.GetProperty("logits"));
        var (tokens, context, vocabulary) = (ReferenceNumbers.Tokens(0), ReferenceNumbers.Model.Context, ReferenceNumbers.Model.Vocabulary);
        for (var row = 0; row < ReferenceNumbers.Batch; row++)
        {
            for (var length = 1; length <= context; length += 5)
            {
                var actual = device.Logits(tokens.AsSpan(row * Row, length));
                var error = ReferenceNumbers.RelativeError(actual, expected.AsSpan((row * context + length - 1) * vocabulary, vocabulary));
                Assert.True(error < Tolerance, $"row {row} position {length - 1}: {error:E2}");
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void The_loss_and_every_gradient_agree_with_the_reference(int index)
    {
        var expected = ReferenceNumbers.Root.GetProperty("gradients")[index];
        using var vectors = ReferenceNumbers.Parameters();
        using var device = Device(vectors, expected.GetProperty("smoothing").GetDouble());
        var batch = ReferenceNumbers.MicroBatches(0);
        var loss = device.Accumulate(batch, default).Single() / batch[0].StepTargets;
        Assert.Equal(1, loss / expected.GetProperty("loss").GetDouble(), 1e-6);
        var (worst, all) = (0.0, Samples.GradientOf(device));
        foreach (var gradient in expected.GetProperty("gradients").EnumerateObject())
        {
            var segment = vectors.Layout[gradient.Name];
            var error = ReferenceNumbers.RelativeError(
                all.AsSpan((int)segment.Offset, (int)segment.Count), ReferenceNumbers.Floats(gradient.Value));
            Assert.True(error < Tolerance, $"{gradient.Name}: {error:E2}");
            worst = Math.Max(worst, error);
        }
        output.WriteLine($"loss {loss}, reference {expected.GetProperty("loss").GetDouble()}; worst gradient {worst:E2}");
    }

    [Fact]
    public void Padding_between_segments_and_of_the_vocabulary_gets_no_gradient()
    {
        using var vectors = ReferenceNumbers.Parameters();
        using var device = Device(vectors, 0.1);
        for (var step = 0; step < 2; step++)
            device.Accumulate(ReferenceNumbers.MicroBatches(0, 1), default);
        var gradient = Samples.GradientOf(device);
        foreach (var segment in vectors.Layout.Segments)
            Array.Clear(gradient, (int)segment.Offset, (int)segment.Count);
        Assert.All(gradient, g => Assert.Equal(0f, g));
    }

    [Fact]
    public async Task Five_whole_steps_with_clipping_agree_with_PyTorchs_AdamW()
    {
        var expected = ReferenceNumbers.Root.GetProperty("trajectory");
        double Number(string name) => expected.GetProperty(name).GetDouble();
        var settings = Samples.Optimizer(Number("clip"), 0.1) with { Epsilon = Number("epsilon"), WeightDecay = Number("decay") };
        using var vectors = ReferenceNumbers.Parameters();
        using var device = Device(vectors, 0.1);
        var inline = new InlineDevice(device);
        var collective = new RecordingCollective(new LocalCollective([inline]));
        var training = new TrainingStep([inline], collective, vectors.Layout, new AdamW(settings), settings.Clip);
        for (var step = 0; step < 5; step++)
        {
            var loss = await training.RunAsync(ReferenceNumbers.MicroBatches(step), default, Number("rate"), step + 1);
            var norm = collective.Norm;
            Assert.Equal(1, loss / expected.GetProperty("losses")[step].GetDouble(), Tolerance);
            Assert.Equal(1, norm / expected.GetProperty("norms")[step].GetDouble(), Tolerance);
        }
        var worst = 0.0;
        foreach (var parameter in expected.GetProperty("parameters").EnumerateObject())
        {
            var segment = vectors.Layout[parameter.Name];
            var error = ReferenceNumbers.RelativeError(
                vectors.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count), ReferenceNumbers.Floats(parameter.Value));
            Assert.True(error < Tolerance, $"{parameter.Name}: {error:E2}");
            worst = Math.Max(worst, error);
        }
        output.WriteLine($"worst parameter {worst:E2}");
    }

    [Fact]
    public void AdamW_alone_agrees_with_PyTorchs_for_gradients_of_any_size()
    {
        var model = Samples.Tiny();
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        long[] places = [0, vectors.Layout.Groups[1].First];
        for (var i = 0; i < 2; i++)
            vectors.CopyFrom(VectorSet.Parameters, places[i], ReferenceNumbers.Noise(2000 + i, 64));
        using var gradient = new HostVector(vectors.Layout.Length);
        using var team = new ThreadTeam(1);
        var slices = Slice.Split(vectors.Layout, 1);
        for (var step = 0; step < 10; step++)
        {
            for (var i = 0; i < 2; i++)
            {
                var noise = ReferenceNumbers.Noise(3000 + 2 * step + i, 64);
                for (var j = 0; j < 64; j++)
                    gradient.Span(places[i] + j, 1)[0] = (float)(noise[j] * Math.Pow(10, j % 7 - 5));
            }
            new AdamW(Samples.Optimizer()).Update(vectors, gradient, slices[0], new OptimizerStep(3e-3, step + 1, 1), team);
        }
        for (var i = 0; i < 2; i++)
        {
            var expected = ReferenceNumbers.Root.GetProperty("adamw")[i];
            var parts = new[] { (VectorSet.Parameters, "parameters"), (VectorSet.FirstMoment, "first"),
                (VectorSet.SecondMoment, "second") };
            foreach (var (kind, name) in parts)
            {
                var error = ReferenceNumbers.RelativeError(
                    vectors.Floats(kind, places[i], 64), ReferenceNumbers.Floats(expected.GetProperty(name)));
                Assert.True(error < Tolerance, $"{name} of vector {i}: {error:E2}");
            }
        }
    }

    [Theory]
    [InlineData(double.NaN, 1)]
    [InlineData(double.PositiveInfinity, 1)]
    [InlineData(double.PositiveInfinity, 0)]
    public void A_gradient_that_is_not_finite_is_refused_before_anything_changes(double norm, double clip)
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        using var gradient = new HostVector(vectors.Layout.Length);
        using var team = new ThreadTeam(1);
        gradient.Span(0, (int)gradient.Length).Fill(1);
        var before = Samples.DigestOf(vectors);
        var step = new OptimizerStep(1e-3, 1, GradientNorm.ClipCoefficient(norm, clip));
        var all = Slice.Split(vectors.Layout, 1)[0];
        var error = Assert.Throws<ElasticException>(() => new AdamW(Samples.Optimizer()).Update(vectors, gradient, all, step, team));
        Assert.Contains("use a smaller optimizer.learning-rate", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Samples.DigestOf(vectors));
        Assert.All(Samples.Values(gradient), g => Assert.Equal(1, g));
    }

    [Theory]
    [InlineData(LearningRateSchedule.Cosine, "cosine")]
    [InlineData(LearningRateSchedule.Linear, "linear")]
    [InlineData(LearningRateSchedule.Constant, "constant")]
    public void Learning_rates_agree_with_PyTorchs_schedules(LearningRateSchedule schedule, string name)
    {
        var settings = Samples.Optimizer() with { LearningRate = 1, MinimumLearningRate = 0.1, WarmupSteps = 5, Schedule = schedule };
        foreach (var (step, rate) in ReferenceNumbers.Root.GetProperty("schedules").GetProperty(name).EnumerateArray().Index())
            Assert.Equal(rate.GetDouble(), LearningRate.At(step, 20, settings), 1e-12);
    }

    [Fact]
    public void Evaluation_gives_each_rows_plain_loss_even_when_training_smooths_labels()
    {
        using var vectors = ReferenceNumbers.Parameters();
        using var device = Device(vectors, 0.1);
        var losses = device.Evaluate(ReferenceNumbers.MicroBatches(0).Single());
        Assert.Equal(ReferenceNumbers.Batch, losses.Length);
        Assert.All(losses, row => Assert.Equal(ReferenceNumbers.Model.Context, row.Targets));
        Assert.Equal(
            1,
            losses.Aggregate(ScoreSum.Add).Mean / ReferenceNumbers.Root.GetProperty("gradients")[0].GetProperty("loss").GetDouble(),
            1e-6);
    }

    private static TrainingDevice Device(ReplicaVectors vectors, double smoothing = 0)
        => Samples.Device(vectors, ReferenceNumbers.Model, smoothing);
}
