using Elastic.Foundation;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Passes;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Products by the fake cublasLt against double precision, and how their algorithms are chosen.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class ProductTests
{
    private readonly FakeCublasLt _fake = new();

    [Fact]
    public unsafe void A_proposal_is_as_long_as_in_the_header()
    {
        Assert.Equal(64, sizeof(OpaqueAlgorithm));
        Assert.Equal((nuint)sizeof(HeuristicResult), _fake.ResultBytes);
        Assert.Empty(_fake.Library.Missing);
    }

    // Stored with so many elements more in each row.
    [Theory]
    [InlineData("fp32", "fp32", false, false, 0)]
    [InlineData("fp32", "fp32", true, false, 0)]
    [InlineData("fp32", "fp32", false, true, 4)]
    [InlineData("fp32", "fp32", true, true, 8)]
    [InlineData("bf16", "fp32", false, true, 8)]
    [InlineData("bf16", "bf16", true, false, 0)]
    [InlineData("fp16", "fp32", true, true, 16)]
    public void Products_are_those_of_double_precision_however_matrices_lie(
        string inputs, string result, bool transposesLeft, bool transposesRight, int gap)
    {
        const int rows = 24, columns = 40, inner = 56;
        using var scope = NewDisposeScope();
        var (from, to) = (TypeOf(inputs), TypeOf(result));
        var (a, b) = (Stored(rows, inner, transposesLeft, gap, 1, from), Stored(inner, columns, transposesRight, gap, 2, from));
        var (addend, bias) = (Stored(rows, columns, false, 0, 3, to), Stored(1, columns, false, 0, 4, to));
        var y = empty(rows, columns, to, CPU);
        var shape = new ProductShape(
            Enum.Parse<ProductType>(inputs, true), Enum.Parse<ProductType>(result, true), transposesLeft, transposesRight, rows,
            columns, inner, (transposesLeft ? rows : inner) + gap, (transposesRight ? inner : columns) + gap, columns);
        foreach (var (alpha, beta) in new[] { (1f, 0f), (0.5f, -2f) })
        {
            // What is not read may be anything.
            y.copy_(tensor(float.NaN));
            var at = new ProductMemory(At(a), At(b), At(y), alpha, beta, beta == 0 ? 0 : At(addend), beta == 0 ? 0 : At(bias));
            Assert.True(_fake.On(0).Multiply(shape with { HasBias = beta != 0 }, at));
            var expected = a.to(float64).mm(b.to(float64)).Times(alpha);
            if (beta != 0)
                expected = expected.Plus(addend.to(float64).Times(beta).Plus(bias.to(float64)));
            var distance = ((y.to(float64) - expected).norm() / expected.norm()).item<double>();
            Assert.InRange(distance, 0, result == "bf16" ? 1.0 / 256 : 2e-6);
        }
        // Of the stored type, by an algorithm that was made from its attributes.
        Assert.All(_fake.Products, p => Assert.StartsWith("made 66 ", p, StringComparison.Ordinal));
        Assert.Equal(2, _fake.Products.Count);
    }

    [Fact]
    public void An_algorithm_is_asked_for_once_for_each_shape_and_none_that_splits_a_sum_is_taken()
    {
        var shape = ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, true, 24, 40, 56);
        var products = _fake.On(0);
        for (var i = 0; i < 3; i++)
            Run(products, shape);
        Run(products, shape with { Rows = 16 });
        Assert.Equal(2, _fake.Questions);
        Assert.Equal(2, _fake.Products.Distinct().Count());
        var chosen = products.Choose(shape)!.Value;
        Assert.True(chosen.SumsInOneOrder);
        // The fake's first proposals are a split sum, one that failed, and one that needs more memory than there is: 6, 7 and 8.
        Assert.Equal((66, 1u, 0u), (chosen.Id, chosen.SplitK, chosen.Reduction));
        Assert.Equal(
            $"algorithm 66 tile {chosen.Tile} stages 36 split 1 reduction 0 swizzling 1 custom 3 inner 5 cluster 2", chosen.ToString());
        Assert.Equal($"made 66 {chosen.Tile} 1 0 1 3 36 5 2 of 0 0", _fake.Products[0]);
    }

    [Fact]
    public void A_second_GPU_makes_the_algorithm_of_the_first_whatever_its_library_proposes()
    {
        var shape = ProductShape.Dense(ProductType.Bf16, ProductType.Fp32, false, false, 24, 40, 56);
        Run(_fake.On(0), shape);
        _fake.Change();
        Run(_fake.On(1), shape);
        Assert.Equal(1, _fake.Questions);
        Assert.Equal(2, _fake.Products.Count);
        Assert.Single(_fake.Products.Distinct());
        // Which is another one.
        var alone = new FakeCublasLt();
        alone.Change();
        Assert.NotEqual(_fake.On(1).Choose(shape), alone.On(1).Choose(shape));
    }

    [Fact]
    public void A_GPU_that_cannot_compute_by_what_was_chosen_says_so()
    {
        var shape = ProductShape.Dense(ProductType.Bf16, ProductType.Fp32, false, false, 24, 40, 56);
        var chosen = _fake.On(0).Choose(shape)!.Value;
        _fake.Refuse(chosen.Tile);
        Assert.Equal(
            $"GPU 1 cannot compute bf16 24x40x56 NN to fp32 by {chosen}, which another GPU of this arithmetic chose (cublasLt does not "
            + "compute it: status 15 (the function is not supported)): leave it out of node.devices",
            Assert.Throws<ElasticException>(() => Run(_fake.On(1), shape)).Message);
    }

    [Fact]
    public void Where_all_proposals_split_the_sum_libtorch_computes()
    {
        using var scope = NewDisposeScope();
        _fake.OnlySplits();
        var products = _fake.On(0);
        Assert.Null(products.Choose(ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, false, 8, 8, 8)));
        var (a, b) = (Stored(8, 8, false, 0, 1, float32), Stored(8, 8, false, 0, 2, float32));
        Assert.True(ProductOperators.Multiply(products, a, b).eq(a.mm(b)).all().item<bool>());
        Assert.Empty(_fake.Products);
    }

    [Fact]
    public void What_libtorch_computes_of_16_bits_is_rounded_once_and_a_sum_of_fp32_not_at_all()
    {
        using var scope = NewDisposeScope();
        // Beyond fp16's range.
        var (left, sum) = (tensor([300f], float16).view(1, 1), tensor([1f], float32).view(1, 1));
        ProductOperators.Write(null, left, left, sum, adds: true);
        Assert.Equal(90_001, sum.item<float>());
        // Between 256 and 258, of which the first is even: with the bias it is the second.
        var (row, y) = (tensor(new float[] { 16, 1 }, bfloat16).view(1, 2), empty(1, 1, bfloat16));
        ProductOperators.Write(null, row, row.t(), y, adds: false, ones(1, bfloat16));
        Assert.Equal(258, y.to(float32).item<float>());
    }

    [Theory]
    [InlineData(13, "the GPU program failed to execute")]
    [InlineData(14, "a status of the fake")]
    [InlineData(7, "an unsupported value or parameter")]
    public void An_error_has_the_librarys_words_and_is_the_products_while_the_driver_has_the_GPU(int status, string text)
    {
        _fake.Fail(0, status);
        var error = Assert.ThrowsAny<Exception>(
            () => Run(_fake.On(0), ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, true, 8, 16, 24)));
        Assert.Equal($"cublasLt answers cublasLtMatmul of fp32 8x16x24 NT to fp32 with status {status} ({text})", error.Message);
        Assert.IsNotType<CudaException>(error);
        // No other attempt is made after an ElasticException.
        Assert.Equal(status == 7, error is ElasticException);
    }

    [Theory]
    [InlineData(3, typeof(InsufficientMemoryException))]
    [InlineData(14, typeof(InvalidOperationException))]
    public void A_question_that_fails_can_be_asked_again(int status, Type kind)
    {
        var (products, shape) = (_fake.On(0), ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, true, 8, 16, 24));
        _fake.FailNext(status);
        var error = Assert.Throws(kind, () => products.Choose(shape));
        Assert.Contains("cublasLtMatmulAlgoGetHeuristic", error.Message, StringComparison.Ordinal);
        Assert.NotNull(products.Choose(shape));
    }

    // CUBLAS_STATUS_NOT_INITIALIZED and CUBLAS_STATUS_ALLOC_FAILED: no memory for a handle. No ElasticException, after which work ends.
    [Theory]
    [InlineData(1, true)]
    [InlineData(3, true)]
    [InlineData(14, true)]
    [InlineData(7, false)]
    public void A_handle_for_which_memory_is_short_can_be_had_later(int status, bool passes)
    {
        _fake.FailNext(status);
        var error = Assert.ThrowsAny<Exception>(() => _fake.On(0));
        Assert.Equal(passes, error is InsufficientMemoryException or InvalidOperationException);
        Assert.Equal(!passes, error is CublasLtException);
        Assert.Contains($"cublasLtCreate on GPU 0 with status {status}", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, _fake.On(0).Gpu);
    }

    [Fact]
    public void An_attempt_that_fails_after_the_handle_leaves_none_behind()
    {
        _fake.FailNextPreference(3);
        var error = Assert.Throws<InsufficientMemoryException>(() => _fake.On(0));
        Assert.Contains("cublasLtMatmulPreferenceSetAttribute with status 3", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, _fake.Held);
        _ = _fake.On(0);
        Assert.Equal(2, _fake.Held);
    }

    // On a context that is gone the library finds no memory, too.
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(13)]
    [InlineData(14)]
    public void A_GPU_that_the_driver_has_lost_is_lost_by_name(int status)
    {
        var products = _fake.On(1);
        try
        {
            FakeGpu.Shared.LoseNow(1);
            _fake.Fail(0, status);
            var error = Assert.Throws<CudaException>(
                () => Run(products, ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, true, 8, 16, 24)));
            Assert.True(error.IsLost);
            Assert.Contains($"cublasLtMatmul of fp32 8x16x24 NT to fp32 with status {status}", error.Message, StringComparison.Ordinal);
            Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", error.Message, StringComparison.Ordinal);
            _fake.FailNext(status);
            Assert.True(Assert.Throws<CudaException>(
                () => products.Choose(ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, true, 8, 8, 8))).IsLost);
            _fake.FailNext(status);
            Assert.True(Assert.Throws<CudaException>(() => _fake.On(1)).IsLost);
        }
        finally
        {
            FakeGpu.Shared.Lose(1, -1);
        }
    }

    [Fact]
    public void What_the_library_refuses_is_an_error_at_once()
        // A matrix whose columns overlap.
        => Assert.Equal(
            "cublasLt answers cublasLtMatrixLayoutCreate with status 7 (an unsupported value or parameter)",
            Assert.Throws<CublasLtException>(() => _fake.On(0).Choose(
                ProductShape.Dense(ProductType.Fp32, ProductType.Fp32, false, false, 8, 16, 24) with { RightStride = 8 })).Message);

    [Fact]
    public void A_library_without_a_function_is_named()
    {
        var old = new CublasLtLibrary(FakeGpu.Shared.Load("libold_lt.so.12", "fake_nvrtc.c", []));
        Assert.StartsWith(
            "cublasLt has no cublasLtGetVersion",
            Assert.Throws<ElasticException>(() => new DeviceProducts(FakeGpu.Shared.Driver, old, new ProductChoices(), 0, CPU)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void GPUs_whose_libraries_choose_otherwise_have_another_arithmetic()
    {
        var (one, same, other) = (_fake.On(0), new FakeCublasLt(), new FakeCublasLt());
        other.Change();
        var digest = ReferenceProducts.DigestOf(one);
        Assert.Equal(digest, ReferenceProducts.DigestOf(same.On(1)));
        Assert.NotEqual(digest, ReferenceProducts.DigestOf(other.On(0)));
        Assert.Equal(
            $"products by cublasLt 120803 on GPU 0, choices {digest}, {ReferenceProducts.Shapes.Count} of "
            + $"{ReferenceProducts.Shapes.Count} shapes",
            ReferenceProducts.Describe(one));
        Assert.Equal(ReferenceProducts.Shapes.Count, _fake.Questions);
        // As docs/determinism.md says.
        Assert.Equal(948, ReferenceProducts.Shapes.Distinct().Count());
        Assert.Equal(948, ReferenceProducts.Shapes.Count);
    }

    [Fact]
    public void A_matrix_that_begins_anywhere_or_lies_in_no_order_is_copied_first()
    {
        using var scope = NewDisposeScope();
        var products = _fake.On(0);
        var (a, b) = (Stored(9, 13, false, 0, 1, float32).narrow(1, 1, 11), Stored(22, 6, false, 0, 2, float32));
        Tensor[] all = [b.narrow(0, 1, 11), b.t().narrow(1, 1, 11).t(), b.view(11, 2, 6).select(1, 1), b.view(11, 12).narrow(1, 1, 6)];
        foreach (var right in all)
        {
            var (expected, ours) = (a.to(float64).mm(right.to(float64)), ProductOperators.Multiply(products, a, right));
            Assert.InRange(((ours.to(float64) - expected).norm() / expected.norm()).item<double>(), 0, 1e-6);
        }
        Assert.Equal(4, _fake.Products.Count);
    }

    // The second one's rows are the tokens.
    [Theory]
    [InlineData(24, 40, 4096, 4)]
    [InlineData(768, 768, 32768, 8)]
    [InlineData(1024, 1024, 4096, 4)]
    [InlineData(128, 128, 65536, 16)]
    [InlineData(768, 2304, 32768, 1)]
    [InlineData(24, 40, 4095, 1)]
    [InlineData(24, 40, 1024, 1)]
    public void Few_tiles_are_made_by_parts_of_the_tokens(int rows, int columns, int tokens, int parts)
        => Assert.Equal(parts, ProductShape.PartsOf(rows, columns, tokens));

    [Theory]
    [InlineData("bf16", true)]
    [InlineData("bf16", false)]
    [InlineData("fp32", true)]
    public void Parts_together_are_the_product(string inputs, bool transposesLeft)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Stored(24, 4096, transposesLeft, 8, 1, TypeOf(inputs)), Stored(4096, 40, !transposesLeft, 8, 2, TypeOf(inputs)));
        var parts = ProductOperators.InParts(_fake.On(0), a, b)!;
        Assert.Equal([4, 24, 40], parts.shape);
        for (var i = 0; i < 4; i++)
        {
            var expected = a.narrow(1, 1024 * i, 1024).to(float64).mm(b.narrow(0, 1024 * i, 1024).to(float64));
            Assert.InRange(((parts[i].to(float64) - expected).norm() / expected.norm()).item<double>(), 0, 2e-6);
        }
        Assert.Single(_fake.Products);
        Assert.Null(ProductOperators.InParts(_fake.On(0), a.narrow(1, 0, 1000), b.narrow(0, 0, 1000)));
        // A weight's gradient goes on from what is there.
        var (sum, before) = (Stored(24, 40, false, 0, 3, float32), Stored(24, 40, false, 0, 3, float64));
        new GpuTools(CPU, FakeGpu.Shared.Kernels(0), null, _fake.On(0)).AddProduct(sum, a, b);
        var all = before.Plus(a.to(float64).mm(b.to(float64)));
        Assert.InRange(((sum.to(float64) - all).norm() / all.norm()).item<double>(), 0, 2e-6);
        var without = new FakeCublasLt();
        without.OnlySplits();
        Assert.Null(ProductOperators.InParts(without.On(0), a, b));
    }

    [Fact]
    public void Products_of_a_step_are_measured_with_their_algorithms_and_looked_at()
    {
        var times = new ProductTimes(_fake.On(0), CPU).OfGpt2(8, 16, 90, 1);
        Assert.Equal(15, times.Select(t => t.Shape).Distinct().Count());
        Assert.All(times, t =>
        {
            Assert.StartsWith("algorithm 66 ", t.Algorithm, StringComparison.Ordinal);
            Assert.True(t.IsWell && t.TeraFlops > 0 && t.PlainTeraFlops > 0, $"{t}");
        });
        Assert.Equal(2.0 * 8 * 48 * 16, times[0].Operations);
        Assert.False((times[0] with { Repeats = false }).IsWell);
        Assert.False((times[0] with { Distance = 0.1 }).IsWell);
        Assert.False((times[0] with { Distance = double.NaN }).IsWell);
    }

    private static void Run(DeviceProducts products, ProductShape shape)
    {
        using var scope = NewDisposeScope();
        var memory = zeros(3, 8192, float32, CPU);
        Assert.True(products.Multiply(shape, new ProductMemory(At(memory[0]), At(memory[1]), At(memory[2]))));
    }

    // (rows, columns), a view of numbers that lie by columns where it is transposed, with so many more in each stored row.
    private static Tensor Stored(int rows, int columns, bool isTransposed, int gap, int seed, ScalarType type)
    {
        var (down, across) = isTransposed ? (columns, rows) : (rows, columns);
        // A tensor of an array lies where the array does: anywhere.
        var numbers = tensor(Numbers.Some(down * (across + gap), seed), float32).to(type).clone();
        var stored = numbers.view(down, across + gap).narrow(1, 0, across);
        return isTransposed ? stored.t() : stored;
    }

    private static unsafe nint At(Tensor x) => (nint)Dispatcher.Data(x);

    private static ScalarType TypeOf(string name) => name == "bf16" ? bfloat16 : name == "fp16" ? float16 : float32;
}
