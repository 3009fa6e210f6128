using System.Diagnostics;
using Elastic.Model.Training;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>Computes products of a training step alone, again and again: how fast they are, and whether their bits repeat.</summary>
internal sealed class ProductTimes(DeviceProducts products, Device place)
{
    private const int WarmUps = 3;

    /// <summary>
    /// The products of a GPT-2 in bf16: of each linear layer the forward pass, the gradient of the inputs and that of the weights; those of
    /// the head. Where a product is cut into parts, their sum is not.
    /// </summary>
    /// <param name="rows">Tokens.</param>
    /// <param name="repeats">Products that one time is the mean of.</param>
    public IReadOnlyList<ProductTime> OfGpt2(int rows, int width, int vocabulary, int repeats)
    {
        List<ProductTime> times = [];
        foreach (var (name, from, to) in new[]
        {
            ("qkv", width, 3 * width), ("attention's output", width, width), ("up", width, 4 * width), ("down", 4 * width, width),
        })
        {
            Time($"{name}, forward", Of(false, rows, to, from));
            Time($"{name}, inputs' gradient", Of(true, rows, from, to));
            Time($"{name}, weights' gradient", ProductShape.OfWeight(ProductType.Bf16, from, to, rows));
        }
        string[] names = ["head, forward", "head, inputs' gradient", "head, weights' gradient"];
        foreach (var (name, shape) in names.Zip(ProductShape.OfHead(ProductType.Bf16, rows, vocabulary, width)))
            Time(name, shape);
        return times;

        static ProductShape Of(bool transposesRight, long m, long n, long k) =>
            ProductShape.Dense(ProductType.Bf16, ProductType.Bf16, false, transposesRight, m, n, k);

        void Time(string name, ProductShape shape) => times.Add(OfOne(name, shape, repeats));
    }

    private unsafe ProductTime OfOne(string name, ProductShape shape, int repeats)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var left = Numbers(shape.TransposesLeft, shape.Rows, shape.Inner, shape.LeftStride);
        var right = Numbers(shape.TransposesRight, shape.Inner, shape.Columns, shape.RightStride);
        Tensor Result() => zeros(
            shape.Parts * shape.Rows, shape.ResultStride, shape.Result == ProductType.Bf16 ? bfloat16 : float32, place)
                .narrow(1, 0, shape.Columns);
        var (first, second) = (Result(), Result());
        void Multiply(Tensor into)
        {
            var at = new ProductMemory((nint)Dispatcher.Data(left), (nint)Dispatcher.Data(right), (nint)Dispatcher.Data(into));
            if (products.Multiply(shape, at))
                return;
            // Gigabytes, of the head's: not until the scope ends.
            using var product = left.matmul(right);
            into.zero_().narrow(0, 0, shape.Rows).copy_(product);
        }
        var ours = SecondsOf(() => Multiply(first), repeats);
        Multiply(second);
        var plain = SecondsOf(() => left.matmul(right).Dispose(), repeats);
        var expected = left.to(float32).matmul(right.to(float32));
        var sum = first.to(float32).view(shape.Parts, shape.Rows, shape.Columns).sum(dim: 0);
        var distance = ((sum - expected).norm() / expected.norm()).item<float>();
        return new ProductTime(
            name, shape.ToString(), products.Choose(shape)?.ToString() ?? "libtorch's product", ours, plain, shape.Operations, distance,
            first.eq(second).all().item<bool>());
    }

    // (rows, columns), stored by columns where it is transposed.
    private Tensor Numbers(bool isTransposed, long rows, long columns, long stride)
    {
        var (down, across) = isTransposed ? (columns, rows) : (rows, columns);
        var stored = randn(down, stride, float32, place).to(bfloat16).narrow(1, 0, across);
        return isTransposed ? stored.t() : stored;
    }

    private double SecondsOf(Action work, int repeats)
    {
        for (var i = 0; i < WarmUps; i++)
            work();
        products.Synchronize("products that warm up");
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < repeats; i++)
            work();
        products.Synchronize($"{repeats} products");
        return Stopwatch.GetElapsedTime(began).TotalSeconds / repeats;
    }
}
