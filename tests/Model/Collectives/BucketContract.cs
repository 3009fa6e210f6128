using Elastic.Messages;
using Elastic.Model.Batches;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Collectives;

/// <summary>Gradients that come bucket by bucket (ZeRO-2), of collectives whose devices take part in it.</summary>
public abstract class BucketContract : CollectiveContract
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5)]
    [InlineData(2, 2)]
    [InlineData(2, 7)]
    [InlineData(3, 8)]
    [InlineData(5, 3)]
    public async Task Buckets_add_up_to_each_ranks_slice_of_the_sum_in_tree_order(int ranks, int microBatches)
    {
        using var scene = NewScene(ranks, microBatches);
        var collective = Open(scene.Devices);
        for (var first = 0; first < microBatches; first += ranks)
            await ReduceAsync(collective, scene, first, null);
        var expected = scene.Sum();
        var all = await Task.WhenAll(scene.Devices.Select((device, rank) => device.RunAsync(d =>
        {
            var squares = d.FoldSlice(d.Roots, microBatches, scene.Slices[rank]);
            Assert.All(d.Roots, r => Assert.Equal(
                (scene.Slices[rank].First, scene.Slices[rank].First + scene.Slices[rank].Count), (r.Gradient.First, r.Gradient.Length)));
            var sum = new float[scene.Slices[rank].Count];
            if (sum.Length > 0)
                d.Roots[0].Gradient.CopyTo(scene.Slices[rank].First, sum);
            return (Sum: sum, Squares: squares);
        })));
        Assert.Equal(expected, all.SelectMany(a => a.Sum));
        Assert.Equal(Layout.Tiles, all.Sum(a => a.Squares.Length));
    }

    [Fact]
    public async Task Ranks_that_bring_another_bucket_or_other_micro_batches_are_refused_by_name()
    {
        using var scene = NewScene(2, 4);
        var collective = Open(scene.Devices);
        Task<string> Refusal(Func<PassBucket, PassBucket> change) => RefusalAsync(
            () => ReduceAsync(collective, scene, 0, buckets => [buckets[0], change(buckets[1])]));
        Assert.StartsWith("rank 1 of 2 (cpu:1) brings bucket 1 of", await Refusal(b => b with { Number = 1 }), StringComparison.Ordinal);
        Assert.StartsWith(
            "rank 1 of 2 (cpu:1) brings micro-batches 2 to 2 where 1 is next",
            await Refusal(b => b with { Node = b.Node with { First = 2 } }), StringComparison.Ordinal);
        using var small = new HostVector(16);
        Assert.Contains(
            "of 16 elements where the first rank brings", await Refusal(b => b with { Gradient = small }), StringComparison.Ordinal);
        Assert.StartsWith(
            "0 buckets of 2 devices", await RefusalAsync(() => collective.ReduceBucketAsync([], Long)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rank_that_dies_in_a_bucket_is_named_and_ends_the_collective()
    {
        using var scene = NewScene(2, 2);
        var devices = scene.Devices.Select(d => new TroubledDevice(d)).ToList();
        devices[1].Before = _ => throw new DeviceFailedException(new DeviceId("cpu:1"), isLost: true, "no driver");
        var collective = Open(devices);
        var death = await Assert.ThrowsAsync<DeviceFailedException>(() => ReduceAsync(collective, scene, 0, null));
        Assert.Equal("rank 1 of 2 (cpu:1) is gone in its reduce-scatter of a bucket: no driver", death.Message);
        await AssertEndedAsync(collective, await scene.RootsAsync(), scene, death.Message);
    }

    private static async Task<string> RefusalAsync(Func<Task> reduce) => (await Assert.ThrowsAsync<ArgumentException>(reduce)).Message;

    // A turn: all buckets of one micro-batch of each rank, with the made-up gradients.
    private static async Task ReduceAsync(
        ICollective collective, Scene scene, int first, Func<IReadOnlyList<PassBucket>, IReadOnlyList<PassBucket>>? change)
    {
        var count = Math.Min(scene.Devices.Count, scene.Gradients.Count - first);
        var tokens = Enumerable.Range(0, 2 * scene.Gradients.Count).Select(i => i % ToyArchitecture.Words).ToArray();
        var microBatches = Toy.Batching.MicroBatches(Sample.Cut(tokens, scene.Gradients.Count), 1);
        if (first == 0)
            await Task.WhenAll(scene.Devices.Select((d, rank) => d.RunAsync(device =>
            {
                device.BeginShards(scene.Slices[rank]);
                return true;
            })));
        await Task.WhenAll(Enumerable.Range(0, count).Select(rank => scene.Devices[rank].RunAsync(device =>
        {
            device.BeginPass([microBatches[first + rank]], default, Precision.Fp32, 1);
            return true;
        })));
        for (var isLast = false; !isLast;)
        {
            var buckets = await Task.WhenAll(Enumerable.Range(0, count).Select(rank => scene.Devices[rank].RunAsync(device =>
            {
                var bucket = device.NextBucket();
                foreach (var (segment, place) in bucket.Parts)
                    bucket.Gradient.CopyFrom(place, scene.Gradients[first + rank].AsSpan((int)segment.Offset, (int)segment.Count));
                return bucket;
            })));
            await collective.ReduceBucketAsync(change?.Invoke(buckets) ?? buckets, Long);
            isLast = buckets[0].Scattered is not null;
        }
    }
}
