using System.Runtime.InteropServices;

namespace Elastic.Kernels.Attention;

/// <summary>
/// Rows of heads in memory: channel d of head h of token t of sequence b lies at
/// <c>Data[b * SequenceStride + t * RowStride + h * D + d]</c>. A part of packed q, k and v is one with a row stride of three widths.
/// </summary>
/// <param name="data">The first element.</param>
/// <param name="rowStride">Floats from a token to the next.</param>
/// <param name="sequenceStride">Floats from a sequence to the next.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct HeadRows(float* data, long rowStride, long sequenceStride)
{
    public float* Data { get; } = data;

    public long RowStride { get; } = rowStride;

    public long SequenceStride { get; } = sequenceStride;

    public float* At(int sequence, long token, long channel) => Data + sequence * SequenceStride + token * RowStride + channel;
}

/// <summary>What attention reads and writes, and what its backward pass needs of that again.</summary>
internal readonly unsafe struct AttentionTensors
{
    /// <summary>(B, Tq, H, D).</summary>
    public required HeadRows Q { get; init; }

    /// <summary>(B, Tk, Hkv, D).</summary>
    public required HeadRows K { get; init; }

    /// <summary>(B, Tk, Hkv, D).</summary>
    public required HeadRows V { get; init; }

    /// <summary>(B, Tq, H, D).</summary>
    public required HeadRows Y { get; init; }

    /// <summary>m (B, H, Tq): each query's largest score; 0 for one that sees nothing.</summary>
    public required float* Maxima { get; init; }

    /// <summary>1 / l (B, H, Tq): the inverse of each query's sum of exponentials; 0 for one that sees nothing.</summary>
    public required float* InverseSums { get; init; }
}

/// <summary>The gradients, of the shapes of what they are the gradients of.</summary>
internal readonly struct AttentionGradients
{
    public required HeadRows Y { get; init; }

    public required HeadRows Q { get; init; }

    public required HeadRows K { get; init; }

    public required HeadRows V { get; init; }
}
