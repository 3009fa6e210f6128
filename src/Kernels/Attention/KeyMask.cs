using System.Runtime.CompilerServices;

namespace Elastic.Kernels.Attention;

/// <summary>Which keys of a block the sixteen queries of a register see.</summary>
internal readonly unsafe struct KeyMask<T>
    where T : struct, ILanes<T>
{
    private readonly T _lastSeen, _segments;
    private readonly int* _keySegments;

    /// <param name="queries">Of the block.</param>
    /// <param name="lane">The first of the sixteen in the block.</param>
    public KeyMask(in AttentionShape shape, int sequence, int firstQuery, int queries, int lane, int firstKey, int keys)
    {
        var shift = shape.Shift(firstQuery, firstKey);
        IsNeeded = keys - 1 > lane + shift || shape.QuerySegments is not null;
        if (!IsNeeded)
            return;
        var last = stackalloc int[16];
        for (var i = 0; i < 16; i++)
            last[i] = lane + i + shift;
        _lastSeen = T.Load((float*)last);
        if (shape.QuerySegments is null)
            return;
        var segments = (float*)(shape.QuerySegments + (long)sequence * shape.Queries + firstQuery + lane);
        _segments = T.LoadFirst(segments, Math.Min(16, queries - lane));
        _keySegments = shape.KeySegments + (long)sequence * shape.Keys + firstKey;
    }

    /// <summary>False where all of them see the whole block.</summary>
    public bool IsNeeded { get; }

    /// <summary>In the lanes that see key <paramref name="key"/> of the block a, in the others b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Select(int key, T a, T b)
    {
        if (_keySegments is not null)
            a = T.Select(T.EqualBits(T.Bits(_keySegments[key]), _segments), a, b);
        return T.Select(T.GreaterInt(T.Bits(key), _lastSeen), b, a);
    }
}

/// <summary>Which keys of a block a query sees.</summary>
internal readonly unsafe struct QueryMask<T>
    where T : struct, ILanes<T>
{
    private readonly int _lastSeen;
    private readonly int _segment;
    private readonly int _keys;
    private readonly int* _keySegments;

    /// <param name="row">The query in the block.</param>
    public QueryMask(in AttentionShape shape, int sequence, int firstQuery, int row, int firstKey, int keys)
    {
        _lastSeen = row + shape.Shift(firstQuery, firstKey);
        _keys = keys;
        IsNeeded = keys - 1 > _lastSeen || shape.QuerySegments is not null;
        if (shape.QuerySegments is null)
            return;
        _segment = shape.QuerySegments[(long)sequence * shape.Queries + firstQuery + row];
        _keySegments = shape.KeySegments + (long)sequence * shape.Keys + firstKey;
    }

    /// <summary>False where it sees the whole block.</summary>
    public bool IsNeeded { get; }

    /// <summary>In the lanes of keys that it sees, of the sixteen from <paramref name="lane"/> in the block, a; in the others b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Select(int lane, T a, T b)
    {
        if (_keySegments is not null)
        {
            var segments = T.LoadFirst((float*)_keySegments + lane, Math.Min(16, _keys - lane));
            a = T.Select(T.EqualBits(segments, T.Bits(_segment)), a, b);
        }
        return T.Select(T.GreaterInt(Indices.Of<T>(), T.Bits(_lastSeen - lane)), b, a);
    }
}

/// <summary>The numbers of the lanes, as integers.</summary>
internal static unsafe class Indices
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<T>()
        where T : struct, ILanes<T>
    {
        fixed (byte* lanes = Bytes)
            return T.Load((float*)lanes);
    }

    // In the program's data: little-endian, as every processor that .NET runs on here.
    private static ReadOnlySpan<byte> Bytes =>
    [
        0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0,
        8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0, 14, 0, 0, 0, 15, 0, 0, 0,
    ];
}
