using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>The joint operations of a replica's devices. Their number never changes a result: sums go along the tree.</summary>
public interface ICollective
{
    /// <summary>
    /// Sums gradients: each device gets its slice of the sum over all micro-batches, in tree order, into its own gradient.
    /// </summary>
    /// <param name="roots">The roots of all devices, in the order of the micro-batches.</param>
    /// <param name="slices">One for each device; together they are the vector.</param>
    /// <returns>Sums of squares of all tiles, in tile order.</returns>
    Task<IReadOnlyList<double>> ReduceScatterAsync(IReadOnlyList<SubtreeRoot> roots, int microBatches, IReadOnlyList<Slice> slices);

    /// <summary>Gives every device all slices of the parameters.</summary>
    Task AllGatherAsync(IReadOnlyList<Slice> slices);
}

/// <summary>The collective of devices that share their memory: each reads the others' roots in place.</summary>
public sealed class LocalCollective(IReadOnlyList<IDeviceThread> devices) : ICollective
{
    /// <inheritdoc/>
    public async Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<SubtreeRoot> roots, int microBatches, IReadOnlyList<Slice> slices)
    {
        var squares = await Task.WhenAll(devices.Select((device, i) => device.RunAsync(d => d.FoldSlice(roots, microBatches, slices[i]))));
        return [.. squares.SelectMany(s => s)];
    }

    /// <inheritdoc/>
    /// <remarks>No data moves: all devices update and read the same vectors.</remarks>
    public Task AllGatherAsync(IReadOnlyList<Slice> slices) => Task.CompletedTask;
}
