using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>
/// Products of tensors by cublasLt, for autograd and without it. What no algorithm of cublasLt computes in one order of sums, libtorch
/// does.
/// </summary>
internal static unsafe class ProductOperators
{
    /// <summary>(N, K) (K, M) -> (N, M). Gradients of both are fp32, whatever they are multiplied in.</summary>
    /// <param name="x">fp32.</param>
    /// <param name="weight">fp32; any strides.</param>
    /// <param name="inputs">What both are rounded to, and the gradient of the result; sums are fp32.</param>
    /// <param name="result">The result's type.</param>
    public static Tensor Multiply(DeviceProducts products, Tensor x, Tensor weight, ScalarType inputs, ScalarType result)
        => ProductFunction.apply(products, x, weight, new Types(inputs, result));

    /// <summary>
    /// The same, of the inputs' type, with rows that begin at multiples of <see cref="ProductShape.RowMultiple"/> elements: a vocabulary
    /// may have any number of tokens, and kernels for tensor cores read and write no rows that begin anywhere.
    /// </summary>
    public static Tensor Logits(DeviceProducts products, Tensor x, Tensor weight, ScalarType inputs)
        => ProductFunction.apply(products, x, weight, new Types(inputs, inputs, ProductShape.RowMultiple));

    /// <summary>The same with a bias for each row, and a result in fp32: (N, K) (K, M) (M) -> (N, M).</summary>
    /// <param name="kernels">Sum the bias's gradient in a fixed order.</param>
    public static Tensor MultiplyAndAdd(
        DeviceProducts products, DeviceKernels kernels, Tensor x, Tensor weight, Tensor bias, ScalarType inputs)
        => BiasedProductFunction.apply(products, x, weight, new Types(inputs, float32), bias, kernels);

    /// <summary>alpha left right + beta addend in fp32, without gradients: (N, K) (K, M) (N, M) -> (N, M).</summary>
    /// <param name="products">Null for libtorch's.</param>
    public static Tensor Combine(DeviceProducts? products, Tensor left, Tensor right, double alpha, double beta, Tensor addend)
    {
        if (products is not null)
        {
            var result = empty(left.shape[0], right.shape[1], float32, left.device);
            if (Multiply(products, left, right, result, (float)alpha, (float)beta, addend.contiguous(), null))
                return result;
        }
        return addend * beta + left.mm(right) * alpha;
    }

    /// <summary>left right in fp32, without gradients: (N, K) (K, M) -> (N, M).</summary>
    /// <param name="products">Null for libtorch's.</param>
    public static Tensor Multiply(DeviceProducts? products, Tensor left, Tensor right)
        => products is null ? left.mm(right) : Multiply(products, left, right, float32);

    // (N, K) (K, M) -> (N, M), with rows at such multiples; a bias (M) is added to each.
    private static Tensor Multiply(
        DeviceProducts products, Tensor left, Tensor right, ScalarType result, Tensor? bias = null, long multiple = 1)
    {
        var columns = right.shape[1];
        var y = empty(left.shape[0], ProductShape.RoundUp(columns, multiple), result, left.device).narrow(1, 0, columns);
        if (Multiply(products, left, right, y, 1, 0, null, bias))
            return y;
        return bias is null ? left.matmul(right).to(result) : Multiply(products, left, right, result) + bias;
    }

    private static bool Multiply(
        DeviceProducts products, Tensor left, Tensor right, Tensor result, float alpha, float beta, Tensor? addend, Tensor? bias)
    {
        var (a, b, c) = (new Operand(left), new Operand(right), addend is null ? null : new Operand(addend));
        var d = bias is null ? null : new Operand(bias.unsqueeze(0));
        var (rows, columns, inner) = (left.shape[0], right.shape[1], left.shape[1]);
        var shape = new ProductShape(
            TypeOf(left), TypeOf(result), a.IsTransposed, b.IsTransposed, rows, columns, inner, a.Stride, b.Stride, result.stride(0))
        { HasBias = bias is not null };
        return rows * columns * inner > 0 && products.Multiply(
            shape, new ProductMemory(a.At, b.At, (nint)Dispatcher.Data(result), alpha, beta, c?.At ?? 0, d?.At ?? 0));
    }

    private static ProductType TypeOf(Tensor x) =>
        x.dtype == bfloat16 ? ProductType.Bf16 : x.dtype == float16 ? ProductType.Fp16 : ProductType.Fp32;

    // Autograd gets a tensor of its own, never an argument.
    private static Tensor As(Tensor x, ScalarType type) => x.dtype == type ? x.alias() : x.to(type);

    private sealed record Types(ScalarType Inputs, ScalarType Result, long Multiple = 1);

    // What both functions below do, but for the bias.
    private static Tensor Forward(autograd.AutogradContext ctx, object[] vars, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (products, x, weight, types) = ((DeviceProducts)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Types)vars[3]);
        var (left, right) = (As(x, types.Inputs), As(weight, types.Inputs));
        BackwardFailure.Begin(ctx);
        ctx.save_data("products", products);
        ctx.save_data("wanted", (x.requires_grad, weight.requires_grad));
        ctx.save_for_backward(KernelOperators.Kept(left, right));
        return Multiply(products, left, right, types.Result, bias, types.Multiple).MoveToOuterDisposeScope();
    }

    private static List<Tensor> Backward(autograd.AutogradContext ctx, int arguments, Tensor gradient, Func<Tensor, Tensor?[]> others)
    {
        var products = (DeviceProducts)ctx.get_data("products");
        return products.Failure.Guard(arguments, () =>
        {
            using var scope = NewDisposeScope();
            var saved = ctx.get_saved_variables();
            var (x, weight) = (saved[0], saved[1]);
            var (ofX, ofWeight) = ((bool, bool))ctx.get_data("wanted");
            var dy = As(gradient, x.dtype);
            var dx = ofX ? Multiply(products, dy, weight.t(), float32) : null;
            // As the weight lies, so that its gradient is added to it without a copy.
            var dWeight = !ofWeight ? null
                : weight.stride(0) == 1 ? Multiply(products, dy.t(), x, float32).t() : Multiply(products, x.t(), dy, float32);
            return KernelOperators.Kept([null, dx, dWeight, null, .. others(gradient)]);
        }, gradient);
    }

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

    private sealed class ProductFunction : autograd.SingleTensorFunction<ProductFunction>
    {
        public override string Name => "ElasticProduct";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => Forward(ctx, vars, null);

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => Backward(ctx, 4, gradient, _ => []);
    }

    private sealed class BiasedProductFunction : autograd.SingleTensorFunction<BiasedProductFunction>
    {
        public override string Name => "ElasticBiasedProduct";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_data("kernels", vars[5]);
            return Forward(ctx, vars, (Tensor)vars[4]);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            var kernels = (DeviceKernels)ctx.get_data("kernels");
            return Backward(ctx, 6, gradient, dy => [KernelOperators.BiasGradient(kernels, dy.contiguous()), null]);
        }
    }
}
