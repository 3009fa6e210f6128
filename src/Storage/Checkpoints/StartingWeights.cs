using Elastic.Foundation;
using Elastic.Model.Vectors;

namespace Elastic.Storage;

/// <summary>The weights that a run starts from, read piece by piece: nobody needs memory for all of them. Not thread-safe.</summary>
public sealed class StartingWeights : IDisposable
{
    private readonly Action<long, Memory<float>> _read;
    private readonly Func<Digest, string?> _differs;
    private readonly IDisposable[] _open;

    /// <param name="read">Reads elements from this one on; leaves padding as it is.</param>
    /// <param name="differs">Says that what was read is not what was asked for, by the fingerprint of all of it.</param>
    /// <param name="open">What is open as long as pieces are read.</param>
    internal StartingWeights(
        FlatLayout layout, Action<long, Memory<float>> read, Func<Digest, string?> differs, params IDisposable[] open) =>
        (Layout, _read, _differs, _open) = (layout, read, differs, open);

    /// <summary>Where each element lies.</summary>
    public FlatLayout Layout { get; }

    /// <summary>Reads elements from this one on, as fp32; padding is zeros.</summary>
    /// <exception cref="ElasticException">A weight is no finite number, or a file is not readable any more.</exception>
    /// <exception cref="IOException">A blob of a checkpoint is missing or damaged.</exception>
    public void Read(long first, Memory<float> into)
    {
        into.Span.Clear();
        _read(first, into);
    }

    /// <summary>Says that they are others than when they were opened; null where they are not. May read all of them once more.</summary>
    /// <param name="read">The fingerprint of a version of what was read.</param>
    public string? Differs(Digest read) => _differs(read);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var open in _open)
            open.Dispose();
    }

    /// <summary>Weights of which a network's are read, and those that it does not have are drawn: of adapters beside it.</summary>
    /// <param name="network">Where the network's parameters lie by themselves.</param>
    /// <param name="read">Reads elements of a parameter of the network, the first of them counted in it.</param>
    /// <param name="seed">The run's.</param>
    internal static StartingWeights Beside(
        FlatLayout network, Action<string, long, Memory<float>> read, FlatLayout layout, ulong seed, Func<Digest, string?> differs,
        params IDisposable[] open)
    {
        var known = network.Segments.Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        return new StartingWeights(layout, (first, into) =>
        {
            foreach (var (segment, from, count) in layout.PartsOf(first, into.Length))
            {
                var elements = into.Slice((int)(from - first), count);
                if (known.Contains(segment.Name))
                    read(segment.Name, from - segment.Offset, elements);
                else
                    Initialization.Fill(segment.Parameter, seed, from - segment.Offset, elements);
            }
        }, differs, open);
    }
}
