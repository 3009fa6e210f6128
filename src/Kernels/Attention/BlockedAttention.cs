namespace Elastic.Kernels.Attention;

/// <summary>
/// Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), y = dropout(softmax(q k' / sqrt(D))) v, block by block, so that no
/// (Tq, Tk) matrix is ever held (Dao et al. 2022, algorithms 1 and 4). Causal, with or without a window (Beltagy et al. 2020, section
/// 3.1), full or between two sequences; heads in groups; segments. Blocks of keys that no query of a block sees are passed over.
///
/// The order of sums, for each query by itself. s[j] = (a chain of fused multiply-adds over d upwards from +0) scale, scale = 1 / sqrt(D).
/// Keys pass in blocks of 64 that begin at key 0, 64, 128 ... ; for each block
///   m' = max(m, the block's largest s), f = exp(m - m'), p[j] = exp(s[j] - m'),
///   l = l f + sum of p, a fused multiply-add; the sum by 16 lanes, lane n adding p[n], p[n + 16] ..., then the fold by halves,
///   o = o f, then a chain of fused multiply-adds over j upwards of p[j] v[j],
/// and y = o (1 / l) + 0. With dropout o takes p[j] c[j], c[j] = 0 or the rate's scale (<see cref="AttentionDropout"/>), and l takes p[j]
/// as it is. A key that is not seen adds nothing, so a query's bits do not depend on other queries, on padding, on keys behind those that
/// it sees, nor on how many are computed at once. A query that sees nothing gives zeros. Invisible keys and values must be finite, too.
///
/// Backward: p[j] = exp(s[j] - m) (1 / l) from the saved m and 1 / l; delta = Σ over d of dy y, by 16 lanes of fused multiply-adds and the
/// fold; ds = (p (c (dy · v[j]) - delta)) scale. dv[j] and dk[j] are chains over the group's heads upwards and then the queries upwards of
/// p c dy and ds q, dq a chain over the keys upwards of ds k; each + 0 at the end.
/// </summary>
internal static unsafe class BlockedAttention
{
    // Of one passing over the keys: more save copies of the keys, and take more of the second-level cache.
    private const int MostBlocksAtOnce = 4;

    /// <summary>Floats of workspace that the forward pass needs; they need no contents.</summary>
    public static long ForwardWorkspace(in AttentionShape shape, int threads)
        => ForwardPiece<LanesScalar>.WorkspaceOf(shape, MostBlocksAtOnce) * threads;

    /// <summary>Floats of workspace that the backward pass needs; they need no contents.</summary>
    public static long BackwardWorkspace(in AttentionShape shape, int threads)
        => BackwardPiece<LanesScalar>.WorkspaceOf(shape) * threads + (long)shape.Sequences * shape.Heads * shape.Queries;

    /// <summary>Overwrites y, m and 1 / l.</summary>
    /// <param name="workspace">As <see cref="ForwardWorkspace"/> says, for the team's threads.</param>
    /// <exception cref="ArgumentException">The shape is none.</exception>
    public static void Forward(ThreadTeam team, in AttentionShape shape, in AttentionTensors tensors, float* workspace)
        => Forward(team, shape, tensors, workspace, BlocksAtOnce(shape, team.Threads));

    /// <summary>Overwrites dq, dk and dv, which may be parts of one packed gradient.</summary>
    /// <param name="workspace">As <see cref="BackwardWorkspace"/> says, for the team's threads.</param>
    /// <exception cref="ArgumentException">The shape is none.</exception>
    public static void Backward(
        ThreadTeam team, in AttentionShape shape, in AttentionTensors tensors, in AttentionGradients gradients, float* workspace)
        => Backward(team, shape, tensors, gradients, workspace, IsOnePass(shape.Sequences * shape.KeyHeads, team.Threads));

    /// <param name="blocksAtOnce">Blocks of queries in a piece, 1 to 4. Does not show in the bits.</param>
    internal static void Forward(
        ThreadTeam team, in AttentionShape shape, in AttentionTensors tensors, float* workspace, int blocksAtOnce)
    {
        shape.Check();
        LaneDispatch.Run(new ForwardKernel(team, shape, tensors, workspace, blocksAtOnce));
    }

    /// <param name="isOnePass">One piece for each head of keys, or one for each block. Does not show in the bits.</param>
    internal static void Backward(
        ThreadTeam team, in AttentionShape shape, in AttentionTensors tensors, in AttentionGradients gradients, float* workspace,
        bool isOnePass)
    {
        shape.Check();
        LaneDispatch.Run(new BackwardKernel(team, shape, tensors, gradients, workspace, isOnePass));
    }

    // Pieces of several blocks save copies, as long as every thread has four of them to take.
    private static int BlocksAtOnce(in AttentionShape shape, int threads)
    {
        var blocks = (long)shape.QueryBlocks * shape.Sequences * shape.Heads;
        return (int)Math.Clamp(blocks / (4 * threads), 1, Math.Clamp(shape.QueryBlocks, 1, MostBlocksAtOnce));
    }

    // Two passes compute 7 products where one computes 5, but have as many pieces as there are blocks.
    private static bool IsOnePass(int pieces, int threads)
        => 7L * pieces >= 5L * threads * ((pieces + threads - 1) / threads);

    private readonly struct ForwardKernel(
        ThreadTeam team, in AttentionShape shape, in AttentionTensors tensors, float* workspace, int blocksAtOnce) : ILaneKernel
    {
        private readonly AttentionShape _shape = shape;
        private readonly AttentionTensors _tensors = tensors;
        private readonly float* _workspace = workspace;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var pieces = new ForwardPiece<T>(_shape, _tensors, _workspace, blocksAtOnce);
            team.Run(pieces, pieces.Pieces);
        }
    }

    private readonly struct BackwardKernel(
        ThreadTeam team, in AttentionShape shape, in AttentionTensors tensors, in AttentionGradients gradients, float* workspace,
        bool isOnePass) : ILaneKernel
    {
        private readonly AttentionShape _shape = shape;
        private readonly AttentionTensors _tensors = tensors;
        private readonly AttentionGradients _gradients = gradients;
        private readonly float* _workspace = workspace;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var deltas = _workspace + BackwardPiece<T>.WorkspaceOf(_shape) * team.Threads;
            var products = new DeltaPiece<T>(_shape, _tensors.Y, _gradients.Y, deltas);
            team.Run(products, products.Pieces);
            if (isOnePass)
            {
                RunPart<T>(BackwardPart.All, deltas);
                return;
            }
            RunPart<T>(BackwardPart.Keys, deltas);
            RunPart<T>(BackwardPart.Queries, deltas);
        }

        private void RunPart<T>(BackwardPart part, float* deltas)
            where T : struct, ILanes<T>
        {
            var pieces = new BackwardPiece<T>(_shape, part, _tensors, _gradients, deltas, _workspace);
            team.Run(pieces, pieces.Pieces);
        }
    }
}
