using Elastic.Kernels.Attention;

namespace Elastic.Kernels.Tests.Attention;

/// <summary>How a case is computed: none of this may show in the bits.</summary>
internal sealed record AttentionManner(LaneKind Lanes, int Threads = 1, int BlocksAtOnce = 1, bool IsOnePass = true);

/// <summary>
/// Runs the kernels over a case. q, k, v and y lie between other data: rows have gaps, and what lies in the gaps must not be read into a
/// result, nor written.
/// </summary>
internal sealed unsafe class AttentionRun
{
    private const int Gap = 5;
    private const float Canary = 1e30f;

    public AttentionRun(AttentionCase c, AttentionManner manner)
    {
        LaneDispatch.Force(manner.Lanes);
        try
        {
            using var team = new ThreadTeam(manner.Threads);
            Compute(c, manner, team);
        }
        finally
        {
            LaneDispatch.Force(null);
        }
    }

    public float[] Y { get; private set; } = [];

    public float[] Maxima { get; private set; } = [];

    public float[] InverseSums { get; private set; } = [];

    public float[] Dq { get; private set; } = [];

    public float[] Dk { get; private set; } = [];

    public float[] Dv { get; private set; } = [];

    /// <summary>Everything that was computed.</summary>
    public IEnumerable<uint> Bits => Y.Concat(Maxima).Concat(InverseSums).Concat(Dq).Concat(Dk).Concat(Dv)
        .Select(BitConverter.SingleToUInt32Bits);

    private void Compute(AttentionCase c, AttentionManner manner, ThreadTeam team)
    {
        int width = c.Heads * c.HeadSize, keyWidth = c.KeyHeads * c.HeadSize;
        float[] q = Spread(c.Q, width), k = Spread(c.K, keyWidth), v = Spread(c.V, keyWidth), dy = Spread(c.Dy, width),
            y = Spread(new float[c.Q.Length], width), dq = Spread(new float[c.Q.Length], width),
            dk = Spread(new float[c.K.Length], keyWidth), dv = Spread(new float[c.V.Length], keyWidth);
        (Maxima, InverseSums) = (new float[c.Batch * c.Heads * c.Queries], new float[c.Batch * c.Heads * c.Queries]);
        var dropoutKeys = c.DropoutKeys;
        fixed (float* pq = q, pk = k, pv = v, pdy = dy, py = y, pdq = dq, pdk = dk, pdv = dv, maxima = Maxima, sums = InverseSums)
        fixed (int* querySegments = c.QuerySegments, keySegments = c.KeySegments)
        fixed (ulong* keys = dropoutKeys)
        {
            var shape = new AttentionShape
            {
                Sequences = c.Batch,
                Queries = c.Queries,
                Keys = c.Keys,
                Heads = c.Heads,
                KeyHeads = c.KeyHeads,
                HeadSize = c.HeadSize,
                IsCausal = c.Causal,
                CausalOffset = c.Offset,
                Window = c.Window,
                QuerySegments = querySegments,
                KeySegments = keySegments,
                Dropout = DropoutRate.Of(c.Dropout),
                DropoutKeys = keys,
                SequencesPerDropoutKey = c.SequencesPerKey,
            };
            HeadRows Queries(float* p) => new(p, width + Gap, (long)c.Queries * (width + Gap));
            HeadRows Keys(float* p) => new(p, keyWidth + Gap, (long)c.Keys * (keyWidth + Gap));
            var tensors = new AttentionTensors
            {
                Q = Queries(pq),
                K = Keys(pk),
                V = Keys(pv),
                Y = Queries(py),
                Maxima = maxima,
                InverseSums = sums,
            };
            var gradients = new AttentionGradients { Y = Queries(pdy), Q = Queries(pdq), K = Keys(pdk), V = Keys(pdv) };
            using (var workspace = new Workspace(BlockedAttention.ForwardWorkspace(shape, manner.Threads)))
                BlockedAttention.Forward(team, shape, tensors, workspace.Floats, manner.BlocksAtOnce);
            using (var workspace = new Workspace(BlockedAttention.BackwardWorkspace(shape, manner.Threads)))
                BlockedAttention.Backward(team, shape, tensors, gradients, workspace.Floats, manner.IsOnePass);
        }
        (Y, Dq, Dk, Dv) = (Gather(y, width), Gather(dq, width), Gather(dk, keyWidth), Gather(dv, keyWidth));
    }

    private static float[] Spread(float[] rows, int width)
        => [.. rows.Chunk(width).SelectMany(row => row.Concat(Enumerable.Repeat(Canary, Gap)))];

    private static float[] Gather(float[] spread, int width)
    {
        var rows = spread.Chunk(width + Gap).ToList();
        Assert.All(rows, row => Assert.All(row[width..], x => Assert.Equal(Canary, x)));
        return [.. rows.SelectMany(row => row[..width])];
    }

    // Filled with what would be seen in any sum, and watched at its end.
    private sealed class Workspace : IDisposable
    {
        private readonly float[] _memory;
        private readonly System.Runtime.InteropServices.GCHandle _handle;

        public Workspace(long floats)
        {
            _memory = new float[floats + 16];
            Array.Fill(_memory, float.NaN);
            _memory.AsSpan((int)floats).Fill(Canary);
            _handle = System.Runtime.InteropServices.GCHandle.Alloc(_memory, System.Runtime.InteropServices.GCHandleType.Pinned);
        }

        public float* Floats => (float*)_handle.AddrOfPinnedObject();

        public void Dispose()
        {
            Assert.All(_memory[^16..], x => Assert.Equal(Canary, x));
            _handle.Free();
        }
    }
}
