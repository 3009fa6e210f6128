using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>Adapters of a model in memory: added to the weights beside which they were trained.</summary>
public static class Adapters
{
    private const string Weight = ".weight";

    /// <summary>
    /// The model without adapters that computes the same: W + s B A for each layer with an adapter (Hu et al. 2021, section 4.1), or its
    /// transpose where weights are stored (in, out). Sums over the rank are in double precision and rounded once.
    /// </summary>
    /// <param name="parameters">Of a model of these settings, in this machine's memory.</param>
    public static ReplicaVectors Merge(ReplicaVectors parameters, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(model);
        var merged = new ReplicaVectors(Architectures.LayoutOf(model.WithoutAdapters()));
        _ = merged.Parameters;                                          // its zeros are the padding
        foreach (var into in merged.Layout.Segments)
            if (into.Name.EndsWith(Weight, StringComparison.Ordinal)
                && parameters.Layout.AdapterOf(into.Name[..^Weight.Length]) is { } scale)
                Add(parameters, merged, into, scale);
            else
                Copy(parameters, merged, into);
        return merged;
    }

    private static void Copy(ReplicaVectors from, ReplicaVectors merged, Segment into)
    {
        for (long at = 0; at < into.Count; at += VectorManifest.ChunkElements)
        {
            var count = (int)Math.Min(VectorManifest.ChunkElements, into.Count - at);
            merged.CopyFrom(
                VectorSet.Parameters, into.Offset + at,
                from.Floats(VectorSet.Parameters, from.Layout[into.Name].Offset + at, count));
        }
    }

    private static void Add(ReplicaVectors from, ReplicaVectors merged, Segment into, double scale)
    {
        var layer = into.Name[..^Weight.Length];
        Segment a = from.Layout[Adapter.A(layer) + Weight], b = from.Layout[Adapter.B(layer) + Weight], w = from.Layout[into.Name];
        var (rank, inputs) = ((int)a.Shape[0], (int)a.Shape[1]);
        var isOutIn = a.Parameter.Adapter!.IsOutIn;
        Parallel.For(0, (int)w.Shape[0], row =>
        {
            ReadOnlySpan<float> A = from.Floats(VectorSet.Parameters, a.Offset, (int)a.Count),
                B = from.Floats(VectorSet.Parameters, b.Offset, (int)b.Count),
                old = from.Floats(VectorSet.Parameters, w.Offset + row * w.Shape[1], (int)w.Shape[1]);
            var sums = merged.Floats(VectorSet.Parameters, into.Offset + row * w.Shape[1], (int)w.Shape[1]);
            for (var column = 0; column < sums.Length; column++)
            {
                var (output, input) = isOutIn ? (row, column) : (column, row);
                var sum = 0.0;
                for (var r = 0; r < rank; r++)
                    sum += (double)B[output * rank + r] * A[r * inputs + input];
                sums[column] = (float)(old[column] + scale * sum);
            }
        });
    }
}
