using Elastic.Kernels;
using Elastic.Messages.Vectors;

namespace Elastic.Model.Vectors;

/// <summary>The parameters before the first step, as their architecture declares them.</summary>
public static class Initialization
{
    /// <summary>
    /// Fills the parameters; padding is zero. Each element is a function of (seed, parameter name, place in the parameter), so the bits
    /// are the same on every machine, device and number of threads.
    /// </summary>
    public static void Fill(ReplicaVectors vectors, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        vectors.Clear(VectorSet.Parameters);
        Fill(vectors, seed, vectors.Layout.Segments);
    }

    /// <summary>Fills some parameters, in vectors that are zeros yet.</summary>
    public static void Fill(ReplicaVectors vectors, ulong seed, IEnumerable<Segment> segments)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentNullException.ThrowIfNull(segments);
        const int piece = 1 << 18;
        var buffer = new float[piece];
        foreach (var segment in segments)
        {
            for (long at = 0; at < segment.Count; at += piece)
            {
                var host = buffer.AsMemory(0, (int)Math.Min(piece, segment.Count - at));
                Draw(host, at, segment.Parameter, seed);
                vectors.CopyFrom(VectorSet.Parameters, segment.Offset + at, host.Span);
            }
        }
    }

    /// <summary>
    /// Some elements of the vector, as <see cref="Fill(ReplicaVectors, ulong)"/> has them: for whoever has no memory for all of it.
    /// </summary>
    public static void Fill(FlatLayout layout, ulong seed, long first, Memory<float> into)
    {
        ArgumentNullException.ThrowIfNull(layout);
        into.Span.Clear();
        for (var i = layout.FirstSegmentAt(first); i < layout.Segments.Count && layout.Segments[i].Offset < first + into.Length; i++)
        {
            var segment = layout.Segments[i];
            var (low, high) = (Math.Max(first, segment.Offset), Math.Min(first + into.Length, segment.Offset + segment.Count));
            if (low < high)
                Draw(into.Slice((int)(low - first), (int)(high - low)), low - segment.Offset, segment.Parameter, seed);
        }
    }

    /// <summary>Elements of one parameter, as <see cref="Fill(ReplicaVectors, ulong)"/> has them.</summary>
    /// <param name="first">The first of them, counted in the parameter.</param>
    public static void Fill(ParameterSpec parameter, ulong seed, long first, Memory<float> into)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        Draw(into, first, parameter, seed);
    }

    /// <summary>
    /// A parameter's elements, as <see cref="Fill(ReplicaVectors, ulong)"/> has them; of one that is not too long for an array.
    /// </summary>
    internal static float[] Of(ParameterSpec parameter, ulong seed)
    {
        var values = new float[checked((int)parameter.Count)];
        Draw(values, 0, parameter, seed);
        return values;
    }

    private static void Draw(Memory<float> host, long first, ParameterSpec parameter, ulong seed)
    {
        switch (parameter.Init)
        {
            case ParameterInit.Constant constant:
                host.Span.Fill(constant.Value);
                break;
            case ParameterInit.Normal normal:
                DrawNormal(host, first, normal.Deviation, KeyedRandom.Of(seed, parameter.Name));
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"initialisation {parameter.Init}");
        }
    }

    private static void DrawNormal(Memory<float> host, long first, double deviation, KeyedRandom random)
    {
        const int part = 16_384;
        Parallel.For(0, (host.Length + part - 1) / part, block =>
        {
            var values = host.Span;
            for (var i = block * part; i < Math.Min(values.Length, (block + 1) * part); i++)
                values[i] = (float)(deviation * Normal.Quantile(random.Uniform((ulong)(first + i))));
        });
    }
}
