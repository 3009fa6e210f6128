using System.Globalization;

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

    /// <summary>The shape of matrices without gaps.</summary>
    public static ProductShape Dense(
        ProductType inputs, ProductType result, bool transposesLeft, bool transposesRight, long rows, long columns, long inner) => new(
            inputs, result, transposesLeft, transposesRight, rows, columns, inner, transposesLeft ? rows : inner,
            transposesRight ? inner : columns, columns);

    /// <summary>Elements that rows of logits begin at multiples of.</summary>
    public const int RowMultiple = 64;

    /// <summary>The first multiple that is no less.</summary>
    public static long RoundUp(long columns, long multiple) => (columns + multiple - 1) / multiple * multiple;

    /// <summary>
    /// The head's products of a pass over so many tokens: logits and the gradient of the inputs, which are of the inputs' type, and the
    /// gradient of the weights.
    /// </summary>
    public static IReadOnlyList<ProductShape> OfHead(ProductType inputs, long rows, long vocabulary, long width)
    {
        var stride = RoundUp(vocabulary, RowMultiple);
        return
        [
            Dense(inputs, inputs, false, true, rows, vocabulary, width) with { ResultStride = stride },
            Dense(inputs, inputs, false, false, rows, width, vocabulary) with { LeftStride = stride },
            Dense(inputs, ProductType.Fp32, true, false, vocabulary, width, rows) with { LeftStride = stride },
        ];
    }

    /// <summary>Multiplications and additions.</summary>
    public double Operations => 2.0 * Rows * Columns * Inner;

    /// <summary>E.g. "bf16 4096x2304x768 NT to fp32 with bias", and the strides where there are gaps.</summary>
    public override string ToString()
    {
        var gaps = this == Dense(Inputs, Result, TransposesLeft, TransposesRight, Rows, Columns, Inner) with { HasBias = HasBias }
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $" strides {LeftStride} {RightStride} {ResultStride}");
        var (left, right, bias) = (TransposesLeft ? 'T' : 'N', TransposesRight ? 'T' : 'N', HasBias ? " with bias" : "");
        return string.Create(
            CultureInfo.InvariantCulture, $"{NameOf(Inputs)} {Rows}x{Columns}x{Inner} {left}{right} to {NameOf(Result)}{bias}{gaps}");
    }

    private static string NameOf(ProductType type) => type switch
    {
        ProductType.Fp32 => "fp32",
        ProductType.Fp16 => "fp16",
        _ => "bf16",
    };
}
