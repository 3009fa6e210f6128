using Elastic.Kernels;
using Elastic.Kernels.Attention;

namespace Elastic.Bench.Attention;

/// <summary>Causal self-attention over packed q, k and v, forward and backward.</summary>
internal static unsafe class AttentionContest
{
    /// <summary>
    /// Operations are those of 2 products forward and 5 backward over the pairs that causal attention needs, T (T + 1) / 2 of them;
    /// exponentials and the rest are not counted.
    /// </summary>
    public static IEnumerable<Contest> Of(
        ThreadTeam team, int batch, int tokens, int heads, int keyHeads, int headSize, double dropout)
    {
        var keys = (ulong*)new NativeBuffer(sizeof(ulong)).Floats;
        *keys = 1;
        var shape = new AttentionShape
        {
            Sequences = batch,
            Queries = tokens,
            Keys = tokens,
            Heads = heads,
            KeyHeads = keyHeads,
            HeadSize = headSize,
            IsCausal = true,
            Dropout = DropoutRate.Of(dropout),
            DropoutKeys = keys,
            SequencesPerDropoutKey = batch,
        };
        int width = heads * headSize, packed = width + 2 * keyHeads * headSize;
        long rows = (long)batch * tokens;
        float* qkv = Random(rows * packed), dqkv = Random(rows * packed), y = Random(rows * width), dy = Random(rows * width),
            saved = Random(2 * rows * heads);
        HeadRows Part(float* data, int offset, int stride) => new(data + offset, stride, (long)tokens * stride);
        var tensors = new AttentionTensors
        {
            Q = Part(qkv, 0, packed),
            K = Part(qkv, width, packed),
            V = Part(qkv, width + keyHeads * headSize, packed),
            Y = Part(y, 0, width),
            Maxima = saved,
            InverseSums = saved + rows * heads,
        };
        var gradients = new AttentionGradients
        {
            Q = Part(dqkv, 0, packed),
            K = Part(dqkv, width, packed),
            V = Part(dqkv, width + keyHeads * headSize, packed),
            Y = Part(dy, 0, width),
        };
        var workspace = Random(Math.Max(
            BlockedAttention.ForwardWorkspace(shape, team.Threads), BlockedAttention.BackwardWorkspace(shape, team.Threads)));
        var pairs = (double)batch * heads * tokens * (tokens + 1) / 2;
        var name = $"{batch} x {tokens}, {heads} heads ({keyHeads} of keys) of {headSize}"
            + (dropout > 0 ? $", dropout {dropout}" : "");
        return
        [
            new Contest(name + ": forward", 2 * 2 * pairs * headSize,
                () => BlockedAttention.Forward(team, shape, tensors, workspace)),
            new Contest(name + ": backward", 5 * 2 * pairs * headSize,
                () => BlockedAttention.Backward(team, shape, tensors, gradients, workspace)),
        ];
    }

    // For as long as the program runs.
    private static float* Random(long count)
    {
        var random = new Random(1);
        var floats = new NativeBuffer(count * sizeof(float)).Floats;
        for (var i = 0L; i < count; i++)
            floats[i] = (float)(random.NextDouble() - 0.5);
        return floats;
    }
}
