using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Sums vectors ("strips") along <see cref="SumTree"/> as its leaves come, in increasing order: a stack of the sums of finished subtrees.
/// A leaf that does not come counts as zero. (Adding +0 changes no sum, because no sum that starts from +0 is -0.)
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal unsafe struct TreeStrips
{
    // Two consecutive leaves meet at the tree's node of the highest bit in which their indices differ. Over at most 2^31 leaves these
    // levels decrease from the bottom of the stack to its top.
    private const int MaxLevels = 32;

    private readonly float* _strips;
    private readonly int _width;
    private fixed int _levels[MaxLevels];
    private int _count;
    private int _last;

    /// <param name="memory"><see cref="Floats"/> floats.</param>
    /// <param name="width">Elements of a strip, a multiple of 16.</param>
    public TreeStrips(float* memory, int width)
    {
        _strips = memory;
        _width = width;
    }

    /// <summary>How many floats it takes for a tree of <paramref name="leaves"/> leaves.</summary>
    public static int Floats(int leaves, int width) => (BitOperations.Log2((uint)Math.Max(leaves, 1)) + 2) * width;

    /// <summary>Begins anew.</summary>
    public void Clear() => _count = 0;

    /// <summary>Where the strip of the next leaf is to be written, before the next call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Push<T>(int leaf)
        where T : struct, ILanes<T>
    {
        if (_count > 0)
        {
            var level = BitOperations.Log2((uint)(leaf ^ _last));
            while (_count > 1 && _levels[_count - 1] < level)
                Merge<T>();
            _levels[_count] = level;
        }
        _last = leaf;
        return _strips + (long)_width * _count++;
    }

    /// <summary>Where the sum of all is; there was at least one leaf.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Finish<T>()
        where T : struct, ILanes<T>
    {
        while (_count > 1)
            Merge<T>();
        return _strips;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Merge<T>()
        where T : struct, ILanes<T>
    {
        var right = _strips + (long)_width * --_count;
        var left = right - _width;
        for (var i = 0; i < _width; i += 16)
            T.Store(T.Load(left + i) + T.Load(right + i), left + i);
    }
}
