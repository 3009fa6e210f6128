using Elastic.Kernels;
using Elastic.Kernels.Optimization;

namespace Elastic.Bench.Attention;

/// <summary>What a step does once for each parameter, against copying as many bytes: ranges of vectors that fit no cache.</summary>
internal static unsafe class MemoryContest
{
    private const int Range = 65_536;

    /// <summary>Operations are bytes read and written.</summary>
    public static IEnumerable<Contest> Of(ThreadTeam team, int ranges)
    {
        var count = (long)ranges * Range;
        var vectors = new float*[4];
        for (var i = 0; i < vectors.Length; i++)
        {
            vectors[i] = new NativeBuffer(count * sizeof(float)).Floats;
            for (var n = 0L; n < count; n++)
                vectors[i][n] = 1f / (n % 1000 + 1000);
        }
        float* a = vectors[0], b = vectors[1], c = vectors[2], d = vectors[3];
        var step = new AdamWStep(10, 1e-6, 0.9, 0.95, 1e-8, 0.1, 0.5);
        var fold = new TreeFold([new TreeNode(0, 1), new TreeNode(1, 1)], 2);
        return
        [
            new Contest("copy", 2.0 * sizeof(float) * count, () => team.Run(new Copy(a, b), ranges)),
            new Contest("AdamW", 7.0 * sizeof(float) * count, () => team.Run(new Update(a, b, c, d, step), ranges)),
            new Contest("fold of two into one of them, and squares", 3.0 * sizeof(float) * count,
                () => team.Run(new Fold(fold, a, b), ranges)),
        ];
    }

    private readonly struct Copy(float* from, float* to) : IParallelWork
    {
        private readonly float* _from = from, _to = to;

        public void Run(int piece)
        {
            var at = (long)piece * Range;
            new ReadOnlySpan<float>(_from + at, Range).CopyTo(new(_to + at, Range));
        }
    }

    private readonly struct Update(float* p, float* g, float* m, float* v, AdamWStep step) : IParallelWork
    {
        private readonly float* _p = p, _g = g, _m = m, _v = v;

        public void Run(int piece)
        {
            var at = (long)piece * Range;
            AdamWUpdate.Run(_p + at, _g + at, _m + at, _v + at, Range, step);
        }
    }

    private readonly struct Fold(TreeFold fold, float* a, float* b) : IParallelWork
    {
        private readonly float* _a = a, _b = b;

        public void Run(int piece)
        {
            var roots = stackalloc float*[] { _a, _b };
            _ = fold.Run(roots, (long)piece * Range, Range, _a, null);
        }
    }
}
