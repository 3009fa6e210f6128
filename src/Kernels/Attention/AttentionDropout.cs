using System.Runtime.CompilerServices;

namespace Elastic.Kernels.Attention;

/// <summary>
/// Which weights dropout leaves: word j % 4 of Philox4x32-10 with counter (j / 4, i, b H + h, 0) and the micro-batch's key, b within the
/// micro-batch, H and h among the heads of all devices; a weight stays if its word is not below the rate's threshold. Drawn again in the
/// backward pass.
/// </summary>
internal readonly unsafe struct AttentionDropout
{
    private readonly ulong _key;
    private readonly int _row;
    private readonly DropoutRate _rate;

    /// <summary>For a head of a sequence.</summary>
    public AttentionDropout(in AttentionShape shape, int sequence, int head)
    {
        _rate = shape.Dropout;
        if (!IsActive)
            return;
        _key = shape.DropoutKeys[sequence / shape.SequencesPerDropoutKey];
        var heads = shape.AllHeads == 0 ? shape.Heads : shape.AllHeads;
        _row = sequence % shape.SequencesPerDropoutKey * heads + shape.FirstHead + head;
    }

    /// <summary>False where there is no dropout.</summary>
    public bool IsActive => _rate.Threshold > 0;

    /// <summary>Multiplies the weights of 16 queries from <paramref name="query"/>, keys by rows, in place.</summary>
    /// <param name="weights">Row j belongs to key <paramref name="firstKey"/> + j, a multiple of 4.</param>
    public void ApplyToColumns<T>(float* weights, int query, int firstKey, int keys)
        where T : struct, ILanes<T>
    {
        var queries = T.AddInt(T.Bits(query), Indices<T>());
        for (var j = 0; j < keys; j += 4, weights += 4 * Panel.Stride)
        {
            T a = T.Bits((firstKey + j) / 4), b = queries, c = T.Bits(_row), d = T.Bits(0);
            Philox.Run(_key, ref a, ref b, ref c, ref d);
            Multiply(weights, Factor(a));
            Multiply(weights + Panel.Stride, Factor(b));
            Multiply(weights + 2 * Panel.Stride, Factor(c));
            Multiply(weights + 3 * Panel.Stride, Factor(d));
        }
    }

    /// <summary>The factors, 0 or the rate's scale, of the weights of one query for 64 keys.</summary>
    /// <param name="firstKey">A multiple of 64.</param>
    public void FactorsOfRow<T>(float* factors, int query, int firstKey)
        where T : struct, ILanes<T>
    {
        // Lane 4 g + i draws the words of keys 16 i + 4 g and following: transposed, row i holds keys 16 i to 16 i + 15.
        T a = T.AddInt(T.Bits(firstKey / 4), QuadsOfLanes<T>()), b = T.Bits(query), c = T.Bits(_row), d = T.Bits(0);
        Philox.Run(_key, ref a, ref b, ref c, ref d);
        T.Transpose(ref a, ref b, ref c, ref d);
        T.Store(Factor(a), factors);
        T.Store(Factor(b), factors + 16);
        T.Store(Factor(c), factors + 32);
        T.Store(Factor(d), factors + 48);
    }

    private T Factor<T>(T words)
        where T : struct, ILanes<T>
        => Kernels.Dropout.Keeps(words, Kernels.Dropout.Limit<T>(_rate.Threshold)) & T.Broadcast(_rate.Scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<T>(float* weights, T factor)
        where T : struct, ILanes<T>
        => T.Store(T.Load(weights) * factor, weights);

    private static T Indices<T>()
        where T : struct, ILanes<T>
    {
        var lanes = stackalloc int[16] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
        return T.Load((float*)lanes);
    }

    private static T QuadsOfLanes<T>()
        where T : struct, ILanes<T>
    {
        var lanes = stackalloc int[16] { 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15 };
        return T.Load((float*)lanes);
    }
}
