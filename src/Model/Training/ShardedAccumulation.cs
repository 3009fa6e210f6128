using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// The gradient of a step with ZeRO-2 (Rajbhandari et al. 2020, section 5.2): no device holds more of it than a bucket and sums of its
/// slice. In each turn each device takes the next micro-batches through the network, which stop together where a bucket is complete; each
/// device then adds its slice of all buckets to its sums, and the passes go on.
///
/// The sums are folded along the tree in the order of the micro-batches, so the bits are those of a step without it.
/// </summary>
/// <param name="ranks">The devices.</param>
/// <param name="count">How many.</param>
/// <param name="slices">One for each.</param>
/// <param name="time">Measures the deadlines.</param>
internal sealed class ShardedAccumulation(
    Ranks ranks, int count, ICollective collective, IReadOnlyList<Slice> slices, StepDeadlines deadlines, TimeProvider time)
{
    /// <returns>The sum of the losses of each micro-batch's counted targets, nats.</returns>
    public async Task<IReadOnlyList<double>> RunAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        using var all = new WaitDeadline(time, WaitDeadline.None);
        var vocabulary = (await ranks.RunAsync("preparation", deadlines.Most, (d, rank) =>
        {
            d.BeginShards(slices[rank]);
            return d.Architecture.Vocabulary;
        }))[0];
        var losses = new List<double>();
        // As many micro-batches go together as leave some for each device.
        var passes = MicroBatchGroups.Of(microBatches, vocabulary, Math.Max(1, microBatches.Count / count));
        foreach (var turn in passes.Select(p => p.MicroBatches).Chunk(count))
        {
            for (var isFirst = true; ; isFirst = false)
            {
                var begins = isFirst;
                var made = await ranks.RunAsync(
                    "forward and backward pass", deadlines.Most, (d, rank) =>
                    {
                        if (rank >= turn.Length)
                            return null;
                        if (begins)
                            d.BeginPass(turn[rank], seed, precision, lossScale);
                        return d.NextBucket();
                    },
                    // A device without a micro-batch ends at once, and says nothing of the others.
                    turn.Length == count ? deadlines.After : null);
                var buckets = made.OfType<PassBucket>().ToList();
                // To go over a bucket takes no longer than to make it.
                await collective.ReduceBucketAsync(buckets, deadlines.After(all.Waited));
                losses.AddRange(buckets.SelectMany(b => b.Losses));
                if (buckets[0].Scattered is not null)
                    break;
            }
        }
        return losses;
    }
}
