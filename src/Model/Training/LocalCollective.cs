using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>The collective of devices that share their memory: each reads the others' roots in place.</summary>
public sealed class LocalCollective : ICollective
{
    private readonly IReadOnlyList<IDeviceThread> _devices;
    private readonly Ranks _ranks;
    private readonly TaskCompletionSource<string> _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="devices">The ranks, in order.</param>
    /// <param name="time">Measures the deadlines; null for the system's.</param>
    public LocalCollective(IReadOnlyList<IDeviceThread> devices, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentOutOfRangeException.ThrowIfZero(devices.Count);
        (_devices, _ranks) = (devices, new Ranks(devices, time ?? TimeProvider.System, _aborted.Task));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(roots);
        CheckNotAborted();
        CheckSlices(slices);
        CheckRoots(roots, microBatches, slices[^1].First + slices[^1].Count);
        IReadOnlyList<SubtreeRoot> all = [.. roots.SelectMany(r => r)];
        try
        {
            var squares = await _ranks.RunAsync("reduce-scatter", deadline, (d, rank) => d.FoldSlice(all, microBatches, slices[rank]));
            return [.. squares.SelectMany(s => s)];
        }
        catch (Exception e)
        {
            Abort(e.Message);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        CheckNotAborted();
        CheckBuckets(buckets);
        try
        {
            await _ranks.RunAsync("reduce-scatter of a bucket", deadline, (d, _) =>
            {
                d.FoldBucket(buckets);
                return true;
            });
        }
        catch (Exception e)
        {
            Abort(e.Message);
            throw;
        }
    }

    /// <inheritdoc/>
    /// <remarks>No data moves: all devices update and read the same vectors.</remarks>
    public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        CheckNotAborted();
        CheckSlices(slices);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Abort(string why) => _aborted.TrySetResult(why);

    private void CheckNotAborted()
    {
        if (_aborted.Task.IsCompleted)
            throw new OperationCanceledException($"this collective of {_devices.Count} devices has ended: {_aborted.Task.Result}");
    }

    private void CheckSlices(IReadOnlyList<Slice> slices)
    {
        if (slices.Count != _devices.Count)
            throw new ArgumentException($"{slices.Count} slices for {_devices.Count} devices: each gets one", nameof(slices));
    }

    private void CheckBuckets(IReadOnlyList<PassBucket> buckets)
    {
        if (buckets.Count == 0 || buckets.Count > _devices.Count)
            throw new ArgumentException($"{buckets.Count} buckets of {_devices.Count} devices: each brings one at most", nameof(buckets));
        for (var rank = 1; rank < buckets.Count; rank++)
        {
            var (own, first) = (buckets[rank], buckets[0]);
            if (own.Number != first.Number || own.Gradient.Length != first.Gradient.Length || !Places(own).SequenceEqual(Places(first)))
            {
                throw new ArgumentException(
                    $"{_ranks.Name(rank)} brings bucket {own.Number} of {own.Gradient.Length} elements where the first rank brings " +
                    $"{first.Number} of {first.Gradient.Length}: the ranks of a collective bring the same bucket", nameof(buckets));
            }
            if (own.Node.First != buckets[rank - 1].Node.End)
            {
                throw new ArgumentException(
                    $"{_ranks.Name(rank)} brings micro-batches {own.Node.First} to {own.Node.End - 1} where {buckets[rank - 1].Node.End} " +
                    "is next: ranks bring all micro-batches once, in order", nameof(buckets));
            }
        }
    }

    private static IEnumerable<(long Offset, long Place)> Places(PassBucket bucket) =>
        bucket.Parts.Select(p => (p.Segment.Offset, p.Place));

    // Nobody writes before all are known to fit together.
    private void CheckRoots(IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, long length)
    {
        if (roots.Count != _devices.Count)
            throw new ArgumentException($"the roots of {roots.Count} devices, and there are {_devices.Count}", nameof(roots));
        var next = 0;
        for (var rank = 0; rank < roots.Count; rank++)
        {
            foreach (var (node, gradient, _) in roots[rank])
            {
                if (gradient.Length != length)
                {
                    throw new ArgumentException(
                        $"{_ranks.Name(rank)} brings {gradient.Length} elements where the slices have {length}: the ranks of a " +
                        "collective bring vectors of one size", nameof(roots));
                }
                if (node.First != next)
                {
                    throw new ArgumentException(
                        $"{_ranks.Name(rank)} brings micro-batches {node.First} to {node.End - 1} where {next} is next: " +
                        "ranks bring all micro-batches once, in order", nameof(roots));
                }
                next = node.End;
            }
        }
        if (next != microBatches)
        {
            throw new ArgumentException(
                $"{_devices.Count} ranks bring {next} micro-batches, and the step has {microBatches}", nameof(roots));
        }
    }
}
