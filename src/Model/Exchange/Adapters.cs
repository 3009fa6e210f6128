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
    /// <param name="parameters">Parameters of a model of these settings, in this machine's memory.</param>
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
                Copy(parameters, merged, into.Name);
        return merged;
    }

    /// <summary>The frozen model alone, as it was before adapters.</summary>
    /// <param name="parameters">Parameters of a model of these settings, in this machine's memory.</param>
    public static ReplicaVectors NetworkOf(ReplicaVectors parameters, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(model);
        var network = new ReplicaVectors(Architectures.LayoutOf(model.WithoutAdapters()));
        _ = network.Parameters;
        foreach (var segment in network.Layout.Segments)
            Copy(parameters, network, segment.Name);
        return network;
    }

    /// <summary>A model with adapters of zeros that has the weights of a model without.</summary>
    /// <param name="network">Parameters of <paramref name="model"/> without adapters, in this machine's memory.</param>
    public static ReplicaVectors Beside(ReplicaVectors network, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(network);
        var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        _ = vectors.Parameters;
        foreach (var segment in network.Layout.Segments)
            Copy(network, vectors, segment.Name);
        return vectors;
    }

    private static void Copy(ReplicaVectors from, ReplicaVectors into, string name)
    {
        Segment source = from.Layout[name], target = into.Layout[name];
        for (long at = 0; at < source.Count; at += VectorManifest.ChunkElements)
        {
            var count = (int)Math.Min(VectorManifest.ChunkElements, source.Count - at);
            into.CopyFrom(VectorSet.Parameters, target.Offset + at, from.Floats(VectorSet.Parameters, source.Offset + at, count));
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
