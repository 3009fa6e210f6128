using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// What all collectives do alike: they check what ranks bring before anybody writes, end for good with the first failure, and name the rank
/// that failed or stayed away.
/// </summary>
public abstract class CheckedCollective : ICollective
{
    private readonly IReadOnlyList<IDeviceThread> _devices;
    private readonly Ranks _ranks;
    private readonly TaskCompletionSource<string> _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="devices">The ranks, in order.</param>
    /// <param name="time">Measures the deadlines; null for the system's.</param>
    protected CheckedCollective(IReadOnlyList<IDeviceThread> devices, TimeProvider? time)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentOutOfRangeException.ThrowIfZero(devices.Count);
        (_devices, _ranks) = (devices, new Ranks(devices, time ?? TimeProvider.System, _aborted.Task, IsWaiting));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(roots);
        CheckNotAborted();
        CheckSlices(slices);
        CheckRoots(roots, microBatches, slices[^1].First + slices[^1].Count);
        var squares = await RunAsync("reduce-scatter", deadline, (d, rank) => ReduceScatter(d, rank, roots, microBatches, slices));
        return [.. squares.SelectMany(s => s)];
    }

    /// <inheritdoc/>
    /// <remarks>Devices that take part in ZeRO-2 share their memory.</remarks>
    public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        CheckNotAborted();
        CheckBuckets(buckets);
        return RunAsync("reduce-scatter of a bucket", deadline, (d, _) =>
        {
            d.FoldBucket(buckets);
            return true;
        });
    }

    /// <inheritdoc/>
    public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        CheckNotAborted();
        CheckSlices(slices);
        return GatherAsync(slices, deadline);
    }

    /// <inheritdoc/>
    public void Abort(string why)
    {
        if (_aborted.TrySetResult(why))
            OnAbort(why);
    }

    /// <summary>Sums one rank's slice, on its thread.</summary>
    /// <returns>Sums of squares of the slice's tiles, in tile order.</returns>
    private protected abstract double[] ReduceScatter(
        TrainingDevice device, int rank, IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices);

    /// <summary>Gives every device all slices of the parameters.</summary>
    private protected abstract Task GatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline);

    /// <summary>Whether a rank only waits for others now.</summary>
    private protected virtual bool IsWaiting(int rank) => false;

    /// <summary>Called once, when the collective ends, from any thread; does not wait.</summary>
    private protected virtual void OnAbort(string why)
    {
    }

    /// <summary>Work of all ranks; what fails ends the collective.</summary>
    private protected async Task<T[]> RunAsync<T>(string what, TimeSpan deadline, Func<TrainingDevice, int, T> work)
    {
        try
        {
            return await _ranks.RunAsync(what, deadline, work);
        }
        catch (Exception e)
        {
            Abort(e.Message);
            throw;
        }
    }

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
