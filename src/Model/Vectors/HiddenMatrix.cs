using System.Runtime.InteropServices;

namespace Elastic.Model.Vectors;

/// <summary>
/// A hidden matrix in the flat vector (see <see cref="ParameterSpec.HiddenMatrices"/>): all of a parameter, or some of its columns.
/// </summary>
/// <param name="First">Its first element.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Columns.</param>
/// <param name="RowStride">Elements from a row to the next: the parameter's columns.</param>
/// <param name="Decays">True when weight decay applies.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct HiddenMatrix(long First, int Rows, int Columns, long RowStride, bool Decays)
{
    /// <summary>Its elements.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>
    /// The trained ones of a slice, in the order of the vector. A slice cuts none (<see cref="UpdateGranularity.WholeMatrices"/>), but that
    /// of a stage in a process of its own, which has all of its own ones: what it cuts is another stage's, and left out.
    /// </summary>
    public static IEnumerable<HiddenMatrix> In(FlatLayout layout, Slice slice)
    {
        var (first, end) = (slice.First, slice.First + slice.Count);
        foreach (var segment in SegmentsIn(layout, first, end).Where(s => s.Offset >= first && s.Offset + s.Count <= end))
        {
            var (rows, columns, matrices) = (checked((int)segment.Shape[0]), segment.Shape[1], segment.Parameter.HiddenMatrices);
            for (var i = 0; i < matrices; i++)
                yield return new HiddenMatrix(
                    segment.Offset + i * (columns / matrices), rows, checked((int)(columns / matrices)), columns,
                    segment.Parameter.Decays);
        }
    }

    /// <summary>The trained elements of a slice that are in no hidden matrix, group by group.</summary>
    public static IEnumerable<(ParameterGroup Group, long First, long Count)> OthersIn(FlatLayout layout, Slice slice)
    {
        ArgumentNullException.ThrowIfNull(layout);
        foreach (var (group, first, count) in layout.TrainedPartsOf(slice))
        {
            var at = first;
            foreach (var segment in SegmentsIn(layout, first, first + count))
            {
                if (at < segment.Offset)
                    yield return (group, at, segment.Offset - at);
                at = segment.End;
            }
            if (at < first + count)
                yield return (group, at, first + count - at);
        }
    }

    private static IEnumerable<Segment> SegmentsIn(FlatLayout layout, long first, long end)
    {
        for (var i = layout.FirstSegmentAt(first); i < layout.Segments.Count && layout.Segments[i].Offset < end; i++)
        {
            if (layout.Segments[i].Parameter is { IsTrained: true, HiddenMatrices: > 0 })
                yield return layout.Segments[i];
        }
    }
}
