using System.Text.Json;
using Elastic.Messages.Settings;
using Elastic.Model.Optimization;
using Elastic.Model.Tests.Reference;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>
/// A step in bf16 and in fp16 against an independent one in float64 that rounds at the same places (make_precision_reference.py). Where a
/// number is in the middle between two of 16 bits but for fp32's rounding, the two differ by a unit, and all that follows from it by a part
/// of one. Tolerance of the gradient and of the parameters after the step, relative in the Euclidean norm: a unit, 2^-8 (bf16) and 2^-11
/// (fp16). In bf16 no number is in the middle here: the gradient agrees within 1e-7.
/// </summary>
public class PrecisionReferenceTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(TrainingPrecision.Bf16, "bf16", 1.0 / 256)]
    [InlineData(TrainingPrecision.Fp16, "fp16", 1.0 / 2048)]
    public async Task A_step_agrees_with_the_reference(TrainingPrecision setting, string name, double tolerance)
    {
        using var stream = typeof(PrecisionReferenceTests).Assembly.GetManifestResourceStream("precision_reference.json")!;
        using var document = await JsonDocument.ParseAsync(stream, default, TestContext.Current.CancellationToken);
        var expected = document.RootElement.GetProperty(name);
        double Number(string key) => expected.GetProperty(key).GetDouble();
        var (precision, batches) = (Precision.Of(setting), ReferenceNumbers.MicroBatches(0));
        var settings = Samples.Optimizer(Number("clip")) with { Epsilon = Number("epsilon"), WeightDecay = Number("decay") };
        using var vectors = ReferenceNumbers.Parameters();
        using var device = Samples.Device(vectors, ReferenceNumbers.Model);
        var inline = new InlineDevice(device);
        var collective = new RecordingCollective(new LocalCollective([inline]));
        var step = new TrainingStep([inline], collective, vectors.Layout, new AdamW(settings), settings.Clip, precision);
        var loss = await step.RunAsync(batches, default, Number("rate"), 1);
        var scale = precision.ScalesLoss ? new LossScale(LossScale.FirstExponent, 0, 0).Value : 1;

        Assert.Equal(1, loss / Number("loss"), tolerance / 100);
        Assert.Equal(1, collective.Norm / scale / Number("norm"), tolerance);
        float[] gradient = [.. Samples.Values(device.Roots[0].Gradient).Select(g => (float)(g / scale))];
        var (error, worst) = Errors(gradient, expected.GetProperty("gradients"), vectors.Layout);
        output.WriteLine($"loss {loss / Number("loss") - 1:E1}, gradient {error:E1}, worst tensor {worst}");
        Assert.InRange(error, 0, tolerance);
        // Parameters move by the learning rate; differences of the gradients show in that.
        var (moved, _) = Errors(Samples.Values(vectors.Parameters), expected.GetProperty("parameters"), vectors.Layout);
        Assert.InRange(moved, 0, tolerance);
    }

    // Of all tensors together, and the largest of one, relative in the Euclidean norm.
    private static (double All, string Worst) Errors(float[] actual, JsonElement expected, FlatLayout layout)
    {
        var (error, size, worst) = (0.0, 0.0, (Error: 0.0, Name: ""));
        foreach (var tensor in expected.EnumerateObject())
        {
            var (segment, numbers) = (layout[tensor.Name], ReferenceNumbers.Floats(tensor.Value));
            double ofTensor = 0, sizeOfTensor = 0;
            for (var i = 0; i < numbers.Length; i++)
            {
                ofTensor += Math.Pow((double)actual[segment.Offset + i] - numbers[i], 2);
                sizeOfTensor += Math.Pow(numbers[i], 2);
            }
            (error, size) = (error + ofTensor, size + sizeOfTensor);
            if (Math.Sqrt(ofTensor / sizeOfTensor) > worst.Error)
                worst = (Math.Sqrt(ofTensor / sizeOfTensor), tensor.Name);
        }
        return (Math.Sqrt(error / size), $"{worst.Name} {worst.Error:E1}");
    }
}
