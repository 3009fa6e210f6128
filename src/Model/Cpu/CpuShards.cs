using Elastic.Kernels;
using Elastic.Model.Batches;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>
/// A CPU device's part of ZeRO-2: the bucket that its backward pass makes, and the sums of its slice over all devices' micro-batches. They
/// are folded along the tree as the micro-batches come, in their order.
/// </summary>
internal sealed unsafe class CpuShards(CpuNetwork network, ThreadTeam team) : IDisposable
{
    private readonly Stack<GradientBuffer> _free = new();
    private readonly List<(TreeNode Node, GradientBuffer Sum)> _roots = [];
    private readonly List<Addition> _additions = [];
    private Slice _slice;
    private GradientBuffer? _made;
    private GradientBuckets? _buckets;
    private ShardedPass? _pass;

    /// <summary>The sums of the slice, in the order of the micro-batches.</summary>
    public IReadOnlyList<SubtreeRoot> Roots => [.. _roots.Select(r => new SubtreeRoot(r.Node, r.Sum.Flat, r.Sum.Scattered))];

    /// <summary>Forgets all sums, and takes this slice from now on.</summary>
    public void Begin(Slice slice)
    {
        // Backwards, so that the next step takes the buffers in the same order.
        for (var i = _roots.Count - 1; i >= 0; i--)
            _free.Push(_roots[i].Sum);
        _roots.Clear();
        if (slice != _slice)
            Free();
        _slice = slice;
    }

    /// <summary>The next pass is of this full subtree of micro-batches.</summary>
    public void BeginPass(IReadOnlyList<MicroBatch> group, TrainingInputs inputs)
    {
        _buckets ??= network.Buckets(group, inputs.Precision);
        _made ??= new GradientBuffer(new HostVector(_buckets.Elements));
        _pass = new ShardedPass(network, group, inputs, _buckets, _made);
    }

    /// <summary>Runs forwards, and backwards until the next bucket is complete.</summary>
    public PassBucket NextBucket()
        => (_pass ?? throw new InvalidOperationException("no pass has begun")).NextBucket();

    /// <summary>Adds the slice of all devices' buckets to the sums.</summary>
    public void Fold(IReadOnlyList<PassBucket> buckets)
    {
        if (_slice.Tiles == 0)
            return;
        if (buckets[0].Number == 0)
            Plan(buckets);
        var sources = buckets.Select(b => (nint)((HostVector)b.Gradient).Data).ToArray();
        foreach (var (segment, place) in buckets[0].Parts)
        {
            var first = Math.Max(segment.Offset, _slice.First);
            var end = Math.Min(segment.Offset + segment.Count, _slice.First + _slice.Count);
            if (first < end)
                team.Run(
                    new Pieces(_additions, sources, place - segment.Offset, first, end), (int)((end - first - 1) / Pieces.Elements) + 1);
        }
        if (buckets[0].Scattered is not null)
            FoldRows(buckets);
        GC.KeepAlive(buckets);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Begin(default);
        Free();
        _made?.Dispose();
        _made = null;
    }

    // Which sums the subtrees of a turn are added to, as a binary counter carries; the same for each bucket.
    private void Plan(IReadOnlyList<PassBucket> buckets)
    {
        _additions.Clear();
        for (var i = 0; i < buckets.Count; i++)
        {
            var node = buckets[i].Node;
            if (_roots.Count == 0 || !GradientTree.AreSiblings(_roots[^1].Node, node))
            {
                var sum = _free.TryPop(out var free) ? free : new GradientBuffer(new HostVector(_slice.First, _slice.Count));
                _roots.Add((node, sum));
                _additions.Add(new Addition(sum, i, null, true));
                continue;
            }
            _additions.Add(new Addition(_roots[^1].Sum, i, null, false));
            _roots[^1] = (new TreeNode(_roots[^1].Node.First, 2 * node.Count), _roots[^1].Sum);
            while (_roots.Count > 1 && GradientTree.AreSiblings(_roots[^2].Node, _roots[^1].Node))
            {
                var ((left, sum), right) = (_roots[^2], _roots[^1].Sum);
                _additions.Add(new Addition(sum, -1, right, false));
                _roots.RemoveRange(_roots.Count - 2, 2);
                _roots.Add((new TreeNode(left.First, 2 * left.Count), sum));
                _free.Push(right);
            }
        }
    }

    private void FoldRows(IReadOnlyList<PassBucket> buckets)
    {
        foreach (var (into, bucket, right, isFirst) in _additions)
        {
            if (isFirst)
                into.Scattered.Clear();
            if (right is null)
                into.Scattered.Add(buckets[bucket].Scattered!, _slice.First, _slice.First + _slice.Count);
            else
                into.Scattered.Add(right.Scattered);
        }
    }

    private void Free()
    {
        while (_free.TryPop(out var sum))
            sum.Dispose();
    }

    // Of a bucket, where there is no right side.
    private sealed record Addition(GradientBuffer Into, int Bucket, GradientBuffer? Right, bool IsFirst);

    // All additions of a range of elements, one after the other.
    private readonly struct Pieces(List<Addition> additions, nint[] buckets, long toPlace, long first, long end) : IParallelWork
    {
        public const int Elements = 65_536;

        public void Run(int piece)
        {
            var at = first + (long)piece * Elements;
            var count = (int)Math.Min(Elements, end - at);
            foreach (var (sum, bucket, right, isFirst) in additions)
            {
                var into = ((HostVector)sum.Flat).Data + at;
                var from = right is null ? (float*)buckets[bucket] + toPlace + at : ((HostVector)right.Flat).Data + at;
                if (isFirst)
                    Ranges.Copy(into, from, count);
                else
                    Ranges.Add(into, into, from, count);
            }
        }
    }
}

/// <summary>A pass that stops where a bucket is complete.</summary>
internal sealed class ShardedPass
{
    private readonly CpuPass _pass;
    private readonly IReadOnlyList<MicroBatch> _group;
    private readonly TrainingInputs _inputs;
    private readonly GradientBuckets _buckets;
    private readonly GradientBuffer _made;
    private int _next;

    /// <param name="made">Where each bucket lies in turn, and the rows of embeddings.</param>
    public ShardedPass(
        CpuNetwork network, IReadOnlyList<MicroBatch> group, TrainingInputs inputs, GradientBuckets buckets, GradientBuffer made)
    {
        (_group, _inputs, _buckets, _made) = (group, inputs, buckets, made);
        made.Scattered.Clear();
        _pass = network.Begin(group, inputs, made);
    }

    public PassBucket NextBucket()
    {
        var (number, bucket) = (_next, _buckets.All[_next]);
        _pass.RunThrough(bucket);
        GC.KeepAlive(_inputs);
        var isLast = ++_next == _buckets.All.Count;
        return new PassBucket(
            new TreeNode(_group[0].Index, _group.Count), number, bucket.Parts, _made.Flat, isLast ? _made.Scattered : null,
            isLast ? CpuNetwork.LossesOf(_pass, _group) : []);
    }
}
