using Elastic.Kernels;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>
/// GPT-2's initial parameters (Radford et al. 2019, section 2.3, and the released code's model.py): weights and token embedding from
/// N(0, 0.02), position embedding from N(0, 0.01), the two projections of each layer into the residual stream scaled by
/// 1/sqrt(2 layers), gains 1, biases 0, padding 0.
/// </summary>
public static class Gpt2Initialization
{
    private const double Deviation = 0.02, PositionDeviation = 0.01;

    /// <summary>
    /// Fills the parameters. Each element is a function of (seed, segment name, place in the segment), so the bits
    /// are the same on every machine, device and number of threads.
    /// </summary>
    public static void Fill(ReplicaVectors vectors, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        vectors.Clear(VectorKind.Parameters);
        const int piece = 1 << 18;
        var buffer = new float[piece];
        foreach (var segment in vectors.Layout.Segments)
        {
            var count = RealElements(vectors.Layout, segment);
            for (long at = 0; at < count; at += piece)
            {
                var host = buffer.AsMemory(0, (int)Math.Min(piece, count - at));
                Draw(host, at, segment, vectors.Layout.Model.Layers, seed);
                vectors.CopyFrom(VectorKind.Parameters, segment.Offset + at, host.Span);
            }
        }
    }

    private static void Draw(Memory<float> host, long first, Segment segment, int layers, ulong seed)
    {
        if (segment.Shape.Count == 1)
        {
            host.Span.Fill(segment.Name.EndsWith(".weight", StringComparison.Ordinal) ? 1f : 0f);
            return;
        }
        var deviation = segment.Name == ParameterNames.PositionEmbedding ? PositionDeviation
            : segment.Name.EndsWith("c_proj.weight", StringComparison.Ordinal) ? Deviation / Math.Sqrt(2.0 * layers)
            : Deviation;
        var random = KeyedRandom.Of(seed, segment.Name);
        const int part = 16_384;
        Parallel.For(0, (host.Length + part - 1) / part, block =>
        {
            var values = host.Span;
            for (var i = block * part; i < Math.Min(values.Length, (block + 1) * part); i++)
                values[i] = (float)(deviation * Normal.Quantile(random.Uniform((ulong)(first + i))));
        });
    }

    // The rows of the token embedding that no token has stay zero.
    private static long RealElements(FlatLayout layout, Segment segment)
        => segment.Name == ParameterNames.TokenEmbedding ? layout.Model.Vocabulary * (long)layout.Model.Width : segment.Count;
}
