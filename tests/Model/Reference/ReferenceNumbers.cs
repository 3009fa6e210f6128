using System.Runtime.InteropServices;
using System.Text.Json;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Reference;

/// <summary>The saved numbers of make_reference.py, and the noise that both sides make parameters and tokens of.</summary>
internal static class ReferenceNumbers
{
    private static readonly JsonDocument Document = Read();

    public static JsonElement Root => Document.RootElement;

    public static ModelSettings Model { get; } =
        Samples.Model(Shape("layers"), Shape("heads"), Shape("width"), Shape("context"), Shape("vocabulary"));

    public static int Batch => Shape("batch");

    public static float[] Floats(JsonElement base64) => MemoryMarshal.Cast<byte, float>(base64.GetBytesFromBase64()).ToArray();

    /// <summary>See <c>noise</c> in make_reference.py.</summary>
    public static float[] Noise(int stream, int count)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            var x = ((ulong)i + ((ulong)stream * 1_000_003 + 1)) * 0x9E3779B97F4A7C15;
            x ^= x >> 29;
            x *= 0xBF58476D1CE4E5B9;
            values[i] = (x >> 40) / (float)(1 << 24) - 0.5f;
        }
        return values;
    }

    /// <summary>(batch, T + 1) tokens of a step.</summary>
    public static int[] Tokens(int step)
        => [.. Noise(1000 + step, Batch * (Model.Context + 1)).Select(v => (int)((v + 0.5) * Model.Vocabulary))];

    /// <summary>The same tokens, one micro-batch for each of <paramref name="steps"/>.</summary>
    public static IReadOnlyList<MicroBatch> MicroBatches(params int[] steps) => Architectures.Open(Model).Batching.MicroBatches(
        Sample.Cut(steps.SelectMany(Tokens).ToArray(), steps.Length * Batch), Batch);

    /// <summary>
    /// The reference's parameters. The streams are numbered in the reference's order, in which the layers interleave both kinds.
    /// </summary>
    public static ReplicaVectors Parameters()
    {
        var vectors = new ReplicaVectors(Architectures.LayoutOf(Model));
        var names = Root.GetProperty("gradients")[0].GetProperty("gradients").EnumerateObject().Select(p => p.Name).ToList();
        foreach (var (stream, name) in names.Index())
        {
            var segment = vectors.Layout[name];
            var values = Noise(stream, (int)segment.Count);
            if (segment.Shape.Count == 1 && name.EndsWith("weight", StringComparison.Ordinal))
                values = [.. values.Select(v => 1 + v / 2)];
            vectors.CopyFrom(VectorSet.Parameters, segment.Offset, values);
        }
        return vectors;
    }

    /// <summary>The relative error of a tensor: max |a - b| / max |b|.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double error = 0, size = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            error = Math.Max(error, Math.Abs((double)actual[i] - expected[i]));
            size = Math.Max(size, Math.Abs(expected[i]));
        }
        return error / size;
    }

    private static int Shape(string name) => Root.GetProperty("shape").GetProperty(name).GetInt32();

    private static JsonDocument Read()
    {
        using var stream = typeof(ReferenceNumbers).Assembly.GetManifestResourceStream("gpt2_reference.json")!;
        return JsonDocument.Parse(stream);
    }
}
