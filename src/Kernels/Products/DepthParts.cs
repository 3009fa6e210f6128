using System.Numerics;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// The order in which an element of a product is summed over K: the contract between all processors, thread counts and block sizes.
/// K is divided into parts. Each part is one chain of fused multiply-adds that starts from +0 and takes its k in increasing order; the
/// parts' sums are folded along <see cref="SumTree"/>. Devices that share the axis compute whole parts each.
///
/// With S sections, part p of P consists of the p-th piece of every section, one after another, because q, k and v lie side by side and a
/// device has its heads of each: over s = 0 ... S - 1 the ranges [s K/S + p (K/S) / P, s K/S + (p + 1) (K/S) / P), divided without rest.
/// </summary>
/// <param name="Parts">P; 0 when the parts have a stated length.</param>
/// <param name="Sections">S; K is a multiple of it.</param>
/// <param name="Length">With P = 0: part p is [p L, min(K, (p + 1) L)), so the last may be shorter.</param>
internal readonly record struct DepthParts(int Parts, int Sections, int Length)
{
    /// <summary>One chain over all of K.</summary>
    public static DepthParts One => new(1, 1, 0);

    /// <summary>So many parts of equal length, from each of the sections.</summary>
    public static DepthParts Equal(int parts, int sections = 1) => new(parts, sections, 0);

    /// <summary>Parts of this length; the last may be shorter.</summary>
    public static DepthParts OfLength(int length) => new(0, 1, length);

    /// <summary>How many parts a depth of <paramref name="k"/> has.</summary>
    /// <exception cref="ArgumentException">A part would be empty, or the sections differ in length.</exception>
    public int Count(int k)
    {
        if (Parts == 0 && Length >= 1 && Sections == 1 && k >= 1)
            return (k - 1) / Length + 1;
        if (Parts < 1 || Sections < 1 || k % Sections != 0 || k / Sections < Parts)
            throw new ArgumentException($"a depth of {k} cannot be divided into {this}");
        return Parts;
    }

    /// <summary>Where the range of a part in a section begins.</summary>
    public int First(int k, int part, int section)
        => Parts == 0 ? Math.Min(k, part * Length) : section * (k / Sections) + (int)((long)part * (k / Sections) / Parts);

    /// <summary>Where it ends: the index after its last.</summary>
    public int End(int k, int part, int section)
        => Parts == 0 ? (int)Math.Min(k, (part + 1L) * Length) : section * (k / Sections) + (int)((part + 1L) * (k / Sections) / Parts);
}

/// <summary>Consecutive k of one part.</summary>
/// <param name="First">The first k.</param>
/// <param name="Count">How many.</param>
/// <param name="Starts">The part begins here.</param>
/// <param name="Ends">The part ends here.</param>
/// <param name="Folds">Sums on the stack that the part's is folded with when it ends: see <see cref="DepthCursor"/>.</param>
/// <param name="Slot">Where the sum goes that this segment leaves: its index on the stack; -1 for C.</param>
/// <param name="Running">Where the sum of an unfinished part lies.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DepthSegment(int First, int Count, bool Starts, bool Ends, int Folds, int Slot, int Running);

/// <summary>
/// Walks through K in the order of its parts, in segments that a cache holds. The fold is a binary counter: before part p ends, the stack
/// holds one sum for each bit of p that is set; the part's sum is added to as many as p has trailing ones, or to all at the last part.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct DepthCursor(DepthParts parts, int k)
{
    private readonly int _count = parts.Count(k);
    private int _part, _section, _offset;

    /// <summary>Nothing is left.</summary>
    public readonly bool IsAtEnd => _part == _count;

    /// <summary>Sums that have to be kept at one time for each element: the stack and the running one.</summary>
    public readonly int Slots => _count == 1 ? 1 : BitOperations.Log2((uint)_count - 1) + 2;

    /// <summary>The next segment, of at most so many k. Not at the end.</summary>
    public DepthSegment Next(int most)
    {
        int first = parts.First(k, _part, _section) + _offset, end = parts.End(k, _part, _section), part = _part;
        var count = Math.Min(most, end - first);
        var starts = _section == 0 && _offset == 0;
        _offset += count;
        if (first + count == end)
        {
            _offset = 0;
            if (++_section == parts.Sections)
                (_section, _part) = (0, _part + 1);
        }
        int stack = BitOperations.PopCount((uint)part);
        if (_part == part)
            return new DepthSegment(first, count, starts, false, 0, stack, stack);
        if (IsAtEnd)
            return new DepthSegment(first, count, starts, true, stack, -1, stack);
        var folds = BitOperations.TrailingZeroCount(~part);
        return new DepthSegment(first, count, starts, true, folds, stack - folds, stack);
    }

    /// <summary>The next block: segments of together at most so many k.</summary>
    /// <returns>How many segments; 0 at the end.</returns>
    public int Block(Span<DepthSegment> segments, int most)
    {
        var count = 0;
        for (var left = most; left > 0 && count < segments.Length && !IsAtEnd; count++)
        {
            segments[count] = Next(left);
            left -= segments[count].Count;
        }
        return count;
    }
}
