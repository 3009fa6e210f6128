using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>A parameter's gradient in a bucket.</summary>
/// <param name="Place">Its first element there.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct BucketPart(Segment Segment, long Place);

/// <summary>The gradients that a part of a backward pass makes.</summary>
/// <param name="LastOperation">The index on the tape of the operation whose backward pass completes it.</param>
/// <param name="Parts">Together they are no larger than the largest bucket.</param>
public sealed record GradientBucket(int LastOperation, IReadOnlyList<BucketPart> Parts)
{
    private readonly Dictionary<long, long> _places = Parts.ToDictionary(p => p.Segment.Offset, p => p.Place);

    /// <summary>Where a parameter's gradient lies; 0 for one that nobody writes there.</summary>
    public long PlaceOf(Segment segment)
    {
        ArgumentNullException.ThrowIfNull(segment);
        return _places.GetValueOrDefault(segment.Offset);
    }
}

/// <summary>A bucket of one pass, in the memory of the device that made it, until its next one.</summary>
/// <param name="Node">The micro-batches of the pass: a full subtree.</param>
/// <param name="Number">Number of the bucket, from 0.</param>
/// <param name="Gradient">See <see cref="BucketPart.Place"/>.</param>
/// <param name="Scattered">With the last bucket, what belongs on top once all micro-batches are summed; null with others.</param>
/// <param name="Losses">With the last bucket, the sum of the losses of each micro-batch's counted targets, nats.</param>
public sealed record PassBucket(
    TreeNode Node, int Number, IReadOnlyList<BucketPart> Parts, DeviceVector Gradient, ScatteredRows? Scattered,
    IReadOnlyList<double> Losses);

/// <summary>
/// Cuts the gradient into the buckets that ZeRO-2 reduces one after another, in the order in which a backward pass makes them. The memory
/// of a bucket holds the largest parameter, because a backward pass makes each whole; so smaller buckets would save nothing.
/// </summary>
public sealed class GradientBuckets
{
    private GradientBuckets(IReadOnlyList<GradientBucket> all, long elements) => (All, Elements) = (all, elements);

    /// <summary>All of them, in order; together they hold each trained parameter once.</summary>
    public IReadOnlyList<GradientBucket> All { get; }

    /// <summary>Elements of the largest.</summary>
    public long Elements { get; }

    /// <summary>The buckets of a network: the same for every shape of its micro-batches.</summary>
    public static GradientBuckets Of(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var operations = tape.Operations
            .Select((o, i) => (Index: i, Segments: Trained(tape, o)))
            .Where(o => o.Segments.Count > 0).Reverse().ToList();
        // The parameters of one operation are made together.
        var most = operations.Max(o => o.Segments.Sum(RoomOf));
        var (buckets, parts, place) = (new List<GradientBucket>(), new List<BucketPart>(), 0L);
        for (var i = 0; i < operations.Count; i++)
        {
            foreach (var segment in operations[i].Segments)
            {
                parts.Add(new BucketPart(segment, place));
                place += RoomOf(segment);
            }
            var isLast = i + 1 == operations.Count;
            if (!isLast && place + operations[i + 1].Segments.Sum(RoomOf) <= most)
                continue;
            buckets.Add(new GradientBucket(isLast ? 0 : operations[i].Index, parts));
            (parts, place) = ([], 0);
        }
        return new GradientBuckets(buckets, most);
    }

    private static List<Segment> Trained(Tape tape, Operation operation) =>
        [.. operation.ParametersWritten.Select(p => tape.Layout[p]).Where(s => s.Parameter.IsTrained)];

    private static long RoomOf(Segment segment) =>
        (segment.Count + FlatLayout.Alignment - 1) / FlatLayout.Alignment * FlatLayout.Alignment;
}
