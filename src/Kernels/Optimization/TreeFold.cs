using System.Runtime.InteropServices;

namespace Elastic.Kernels.Optimization;

/// <summary>
/// The sum of several vectors along <see cref="SumTree"/>, and the sum of its squares, in one pass: made once for the roots that there are,
/// then run over ranges. Elements are summed in fp32, each by itself. Squares are exact in double precision, and are summed by 16 lanes of
/// it: lane l takes elements l, l + 16, l + 32 ... of the range, then the fold by halves, as <see cref="Norms.SumOfSquares"/> does.
/// </summary>
internal sealed unsafe class TreeFold
{
    // Elements at once: the partial sums of a few levels of the tree stay in the first-level cache.
    private const int Chunk = 2048;

    private readonly Addition[] _additions;
    private readonly int _roots;

    /// <param name="roots">Together they cover [0, <paramref name="count"/>) once.</param>
    /// <exception cref="ArgumentException">The roots leave a gap, overlap, or are no subtrees.</exception>
    public TreeFold(IReadOnlyList<TreeNode> roots, int count)
    {
        ArgumentNullException.ThrowIfNull(roots);
        _roots = roots.Count;
        var additions = new List<Addition>();
        SumTree.Fold<Term>([.. roots.Select((node, i) => (node, new Term(i, 0)))], count, Add);
        _additions = [.. additions];
        WorkspaceFloats = (long)_additions.SkipLast(1).Select(a => a.Slot + 1).DefaultIfEmpty().Max() * Chunk;

        // The left side's result, if it was computed, lies in slot 0 of its own; the right side uses the slots behind it.
        Term Add(Term left, Term right)
        {
            var behind = left.IsSum ? 1 : 0;
            for (var i = additions.Count - right.Additions; i < additions.Count; i++)
                additions[i] = additions[i].Moved(behind);
            additions.Add(new Addition(left.IsSum ? ~0 : left.Root, right.IsSum ? ~behind : right.Root, 0));
            return new Term(-1, left.Additions + right.Additions + 1);
        }
    }

    /// <summary>Floats of workspace that <see cref="Run"/> needs; they need no contents. One for each thread that runs it.</summary>
    public long WorkspaceFloats { get; }

    /// <summary>Sums elements [first, first + count) of the roots into the same elements of <paramref name="into"/>.</summary>
    /// <param name="roots">One vector for each root, in the constructor's order.</param>
    /// <param name="into">May be one of the roots.</param>
    /// <returns>The sum of the squares of what was written.</returns>
    public double Run(float** roots, long first, long count, float* into, float* workspace)
    {
        double squares;
        fixed (Addition* additions = _additions)
        {
            LaneDispatch.Run(new Kernel(
                additions, _additions.Length, roots, _roots == 1 && roots[0] == into, first, count, into, workspace, &squares));
        }
        return squares;
    }

    // A root, or the sum that so many additions end in.
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Term(int Root, int Additions)
    {
        public bool IsSum => Additions > 0;
    }

    // Operands: a root's number, or the complement of a slot's. The sum goes to a slot; the last one is the result.
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Addition(int Left, int Right, int Slot)
    {
        public Addition Moved(int slots)
            => new(Left < 0 ? Left - slots : Left, Right < 0 ? Right - slots : Right, Slot + slots);
    }

    private readonly struct Kernel(
        Addition* additions, int length, float** roots, bool isInPlace, long first, long count, float* into, float* workspace,
        double* squares) : ILaneKernel
    {
        private readonly Addition* _additions = additions;
        private readonly float** _roots = roots;
        private readonly float* _into = into, _workspace = workspace;
        private readonly double* _squares = squares;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var sums = TWide.Zero;
            for (var done = 0L; done < count; done += Chunk)
            {
                var (at, n) = (first + done, (int)Math.Min(Chunk, count - done));
                if (length == 0)
                {
                    sums = CopyAndSquares<T, TWide>(_roots[0] + at, isInPlace ? null : _into + at, n, sums);
                    continue;
                }
                for (var i = 0; i < length - 1; i++)
                    Sum<T>(At(_additions[i].Left, at), At(_additions[i].Right, at), At(~_additions[i].Slot, at), n);
                var last = _additions[length - 1];
                sums = SumAndSquares<T, TWide>(At(last.Left, at), At(last.Right, at), _into + at, n, sums);
            }
            *_squares = TWide.Fold(sums);
        }

        private float* At(int operand, long at) => operand >= 0 ? _roots[operand] + at : _workspace + ~operand * Chunk;
    }

    private static void Sum<T>(float* a, float* b, float* into, int count)
        where T : struct, ILanes<T>
    {
        // Slots have room for whole groups of lanes; roots need not.
        var i = 0;
        for (; i + 16 <= count; i += 16)
            T.Store(T.Load(a + i) + T.Load(b + i), into + i);
        if (i < count)
            T.Store(T.LoadFirst(a + i, count - i) + T.LoadFirst(b + i, count - i), into + i);
    }

    private static TWide SumAndSquares<T, TWide>(float* a, float* b, float* into, int count, TWide sums)
        where T : struct, ILanes<T>
        where TWide : struct, IWideLanes<TWide, T>
    {
        var i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var sum = T.Load(a + i) + T.Load(b + i);
            T.Store(sum, into + i);
            sums = TWide.AddSquares(sums, sum);
        }
        if (i == count)
            return sums;
        var last = T.LoadFirst(a + i, count - i) + T.LoadFirst(b + i, count - i);
        T.StoreFirst(last, into + i, count - i);
        return TWide.AddSquares(sums, last);
    }

    private static TWide CopyAndSquares<T, TWide>(float* a, float* into, int count, TWide sums)
        where T : struct, ILanes<T>
        where TWide : struct, IWideLanes<TWide, T>
    {
        var i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var x = T.Load(a + i);
            if (into is not null)
                T.Store(x, into + i);
            sums = TWide.AddSquares(sums, x);
        }
        if (i == count)
            return sums;
        var last = T.LoadFirst(a + i, count - i);
        if (into is not null)
            T.StoreFirst(last, into + i, count - i);
        return TWide.AddSquares(sums, last);
    }
}
