using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>Products of tensors by cublasLt. What no algorithm of cublasLt computes in one order of sums, libtorch does.</summary>
internal static unsafe class ProductOperators
{
    /// <summary>result = left right, or result += left right, and a bias for each row: (N, K) (K, M) (M) -> (N, M).</summary>
    /// <param name="products">Null for libtorch's.</param>
    /// <param name="left">Any strides.</param>
    /// <param name="right">Right factor, of the same type as <paramref name="left"/>.</param>
    /// <param name="result">fp32 or of that type, rounded once; rows of neighbouring elements at any distance.</param>
    /// <param name="adds">Whether the product is added to the result; of fp32 only.</param>
    /// <param name="bias">Bias, of the result's type; null for none, and where it adds.</param>
    public static void Write(DeviceProducts? products, Tensor left, Tensor right, Tensor result, bool adds, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        // Of fp32 the library makes fp32.
        var isDirect = result.dtype == float32 || result.dtype == left.dtype;
        if (products is not null && isDirect && Multiply(products, left, right, result, 1, adds ? 1 : 0, adds ? result : null, bias))
            return;
        if (result.dtype == left.dtype && bias is not null && !adds)
        {
            // One rounding of both together.
            result.copy_(addmm(bias, left, right, 1, 1));
            return;
        }
        if (result.dtype == left.dtype)
        {
            result.addmm_(left, right, beta: adds ? 1 : 0, alpha: 1);
        }
        else
        {
            // libtorch's products are of their operands' type: of fp32, so that nothing is rounded, or overflows, before it is added.
            var product = left.dtype == float32 && products is not null
                ? Multiply(products, left, right)
                : left.to(float32).mm(right.to(float32));
            _ = adds ? result.AddInPlace(product) : result.copy_(product);
        }
        if (bias is not null)
            result.AddInPlace(bias);
    }

    /// <summary>
    /// left right in fp32, as parts of its sums that are still to be added: (N, K) (K, M) -> (parts, N, M). Null where one part is enough
    /// (<see cref="ProductShape.PartsOf"/>), or where no algorithm fits.
    /// </summary>
    public static Tensor? InParts(DeviceProducts products, Tensor left, Tensor right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        var parts = ProductShape.PartsOf(left.shape[0], right.shape[1], left.shape[1]);
        if (parts == 1)
            return null;
        var result = empty(parts, left.shape[0], right.shape[1], float32, left.device);
        return Multiply(products, left, right, result[0], 1, 0, null, null, parts) ? result : null;
    }

    /// <summary>alpha left right + beta addend in fp32: (N, K) (K, M) (N, M) -> (N, M).</summary>
    /// <param name="products">Null for libtorch's.</param>
    public static Tensor Combine(DeviceProducts? products, Tensor left, Tensor right, double alpha, double beta, Tensor addend)
    {
        if (products is not null)
        {
            var result = empty(left.shape[0], right.shape[1], float32, left.device);
            if (Multiply(products, left, right, result, (float)alpha, (float)beta, addend.contiguous(), null))
                return result;
        }
        return addend.Times(beta).Plus(left.mm(right).Times(alpha));
    }

    /// <summary>left right in fp32: (N, K) (K, M) -> (N, M).</summary>
    /// <param name="products">Null for libtorch's.</param>
    public static Tensor Multiply(DeviceProducts? products, Tensor left, Tensor right)
    {
        var result = empty(left.shape[0], right.shape[1], float32, left.device);
        Write(products, left, right, result, adds: false);
        return result;
    }

    private static bool Multiply(
        DeviceProducts products, Tensor left, Tensor right, Tensor result, float alpha, float beta, Tensor? addend, Tensor? bias,
        int parts = 1)
    {
        var (a, b) = (new Operand(left), new Operand(right));
        // What is added to lies where the result does.
        var c = addend is null || ReferenceEquals(addend, result) ? null : new Operand(addend);
        var d = bias is null ? null : new Operand(bias.unsqueeze(0));
        var (rows, columns, inner) = (left.shape[0], right.shape[1], left.shape[1]);
        var at = (nint)Dispatcher.Data(result);
        var shape = new ProductShape(
            TypeOf(left), TypeOf(result), a.IsTransposed, b.IsTransposed, rows, columns, inner, a.Stride, b.Stride, result.stride(0))
        { HasBias = bias is not null, Parts = parts };
        return rows * columns * inner > 0 && at % DeviceProducts.AlignmentBytes == 0
            && products.Multiply(shape, new ProductMemory(a.At, b.At, at, alpha, beta, c?.At ?? 0, d?.At ?? 0));
    }

    private static ProductType TypeOf(Tensor x) =>
        x.dtype == bfloat16 ? ProductType.Bf16 : x.dtype == float16 ? ProductType.Fp16 : ProductType.Fp32;

    /// <summary>A matrix as the library reads it: itself, or a copy where its elements lie in no order that it knows.</summary>
    private sealed class Operand
    {
        private readonly Tensor _matrix;

        public Operand(Tensor x)
        {
            var (rows, columns) = (x.shape[0], x.shape[1]);
            var (down, right) = (x.stride(0), x.stride(1));
            // The stride of an axis of one element tells nothing.
            var isByRows = (columns == 1 || right == 1) && (rows == 1 || down >= columns);
            var isByColumns = (rows == 1 || down == 1) && (columns == 1 || right >= rows);
            var isUsable = (isByRows || isByColumns) && (nint)Dispatcher.Data(x) % DeviceProducts.AlignmentBytes == 0;
            // A clone's memory is a new one's.
            _matrix = isUsable ? x : x.contiguous().clone();
            IsTransposed = isUsable && !isByRows;
            Stride = !isUsable ? columns : IsTransposed ? (columns == 1 ? rows : right) : rows == 1 ? columns : down;
        }

        public bool IsTransposed { get; }

        public long Stride { get; }

        public nint At => (nint)Dispatcher.Data(_matrix);
    }
}
