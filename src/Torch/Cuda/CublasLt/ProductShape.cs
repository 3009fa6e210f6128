using System.Globalization;
using Elastic.Model.Training;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>What numbers are stored in; values are those of cudaDataType_t (library_types.h). All products accumulate in fp32.</summary>
internal enum ProductType
{
    Fp32 = 0,
    Fp16 = 2,
    Bf16 = 14,
}

/// <summary>
/// What an algorithm of a product is chosen by: D (Rows, Columns) = A (Rows, Inner) B (Inner, Columns), and a bias (Columns) for each row
/// where there is one. Matrices lie row by row, and a transposed one column by column.
/// </summary>
/// <param name="Inputs">Type of A and B.</param>
/// <param name="Result">Type of D, of what is added to it, and of the bias.</param>
/// <param name="LeftStride">Elements from a stored row of A to the next.</param>
/// <param name="RightStride">Elements from a stored row of B to the next.</param>
/// <param name="ResultStride">Elements from a stored row of D to the next.</param>
internal readonly record struct ProductShape(
    ProductType Inputs, ProductType Result, bool TransposesLeft, bool TransposesRight, long Rows, long Columns, long Inner,
    long LeftStride, long RightStride, long ResultStride)
{
    /// <summary>Whether a bias is added.</summary>
    public bool HasBias { get; init; }

    /// <summary>
    /// Equal parts that the inner axis is cut into. Each is a product of its own, and their results, (Parts, Rows, Columns), follow one
    /// another: who adds them does so in an order of his own.
    /// </summary>
    public int Parts { get; init; } = 1;

    /// <summary>The inner axis of a part.</summary>
    public long PartInner => Inner / Parts;

    /// <summary>The shape of matrices without gaps.</summary>
    public static ProductShape Dense(
        ProductType inputs, ProductType result, bool transposesLeft, bool transposesRight, long rows, long columns, long inner) => new(
            inputs, result, transposesLeft, transposesRight, rows, columns, inner, transposesLeft ? rows : inner,
            transposesRight ? inner : columns, columns);

    /// <summary>The gradient of a weight of a linear layer, summed over so many tokens.</summary>
    public static ProductShape OfWeight(ProductType inputs, long rows, long columns, long tokens)
    {
        var whole = Dense(inputs, ProductType.Fp32, true, false, rows, columns, tokens);
        return whole with { Parts = PartsOf(rows, columns, tokens) };
    }

    /// <summary>
    /// Parts of a sum over tokens whose result is small, as the gradient of a weight: a block of a GPU's threads makes a tile of it, and
    /// few tiles leave most of the GPU idle while each sums over all tokens (768 x 768 by 32,768 took 13 times as long as it should, on an
    /// H200). A power of two, by the shape alone: GPUs of any size add in one order.
    /// </summary>
    public static int PartsOf(long rows, long columns, long tokens)
    {
        var (tiles, parts) = (RoundUp(rows, Tile) / Tile * (RoundUp(columns, Tile) / Tile), 1);
        if (tiles > FewTiles)
            return 1;
        while (tiles * parts < EnoughTiles && parts < MostParts && tokens % (2 * parts * LeastPart) == 0)
            parts *= 2;
        return parts;
    }

    // Of 128 x 128, one at a time on a multiprocessor, of which a large GPU has 132: below half of that a second one pays. A part is at
    // least so long that making it takes longer than adding it.
    private const int Tile = 128, FewTiles = 64, EnoughTiles = 192, MostParts = 16, LeastPart = 1024;

    /// <summary>Elements that rows of logits begin at multiples of.</summary>
    public const int RowMultiple = GpuMemory.HeadMultiple;

    /// <summary>The first multiple that is no less.</summary>
    public static long RoundUp(long columns, long multiple) => (columns + multiple - 1) / multiple * multiple;

    /// <summary>
    /// The head's products of a pass over so many tokens: logits and the gradient of the inputs, which are of the inputs' type, and the
    /// gradient of the weights. In 16 bits the weights have rows of zeros behind them: where a vocabulary is no multiple of 8, as GPT-2's
    /// 50,257, the three took 7, 5 and 1.4 times as long on an H200 (95, 130 and 517 TFLOP/s).
    /// </summary>
    public static IReadOnlyList<ProductShape> OfHead(ProductType inputs, long rows, long vocabulary, long width)
    {
        var stride = RoundUp(vocabulary, RowMultiple);
        var padded = inputs == ProductType.Fp32 ? vocabulary : stride;
        return
        [
            Dense(inputs, inputs, false, true, rows, padded, width) with { ResultStride = stride },
            Dense(inputs, inputs, false, false, rows, width, padded) with { LeftStride = stride },
            OfWeight(inputs, padded, width, rows) with { LeftStride = stride },
        ];
    }

    /// <summary>Multiplications and additions.</summary>
    public double Operations => 2.0 * Rows * Columns * Inner;

    /// <summary>E.g. "bf16 4096x2304x768 NT to fp32 with bias", the strides where there are gaps, and the number of parts.</summary>
    public override string ToString()
    {
        var dense = Dense(Inputs, Result, TransposesLeft, TransposesRight, Rows, Columns, Inner);
        var gaps = this == dense with { HasBias = HasBias, Parts = Parts }
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $" strides {LeftStride} {RightStride} {ResultStride}");
        var parts = Parts == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" in {Parts} parts");
        var (left, right, bias) = (TransposesLeft ? 'T' : 'N', TransposesRight ? 'T' : 'N', HasBias ? " with bias" : "");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{NameOf(Inputs)} {Rows}x{Columns}x{Inner} {left}{right} to {NameOf(Result)}{bias}{gaps}{parts}");
    }

    private static string NameOf(ProductType type) => type switch
    {
        ProductType.Fp32 => "fp32",
        ProductType.Fp16 => "fp16",
        _ => "bf16",
    };
}
