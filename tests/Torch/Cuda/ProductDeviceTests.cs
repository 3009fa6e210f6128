using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.CublasLt;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Devices whose products are the fake cublasLt's, on libtorch's CPU memory: the path that a GPU's products take.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class ProductDeviceTests
{
    private readonly FakeCublasLt _fake = new();

    // The gradient of a bias of keys is zero but for rounding, of which Adam makes whole steps: that is nearly all of the larger distances.
    [Theory]
    [InlineData("gpt2", 1e-5)]
    [InlineData("llama", 1e-5)]
    [InlineData("adapters", 1e-5)]
    [InlineData("transformer", 5e-4)]
    public void They_train_as_libtorchs_products_do(string kind, double tolerance)
    {
        var model = ModelOf(kind);
        var plain = Train(model, 1, true, Precision.Fp32);
        Assert.InRange(
            KernelDeviceTests.Distance(plain, Train(model, 1, true, Precision.Fp32, _fake)), 0, tolerance);
        // All of fp32; each shape was asked for once, and is there in each of three steps.
        Assert.All(_fake.Products, p => Assert.Contains(" of 0 0", p, StringComparison.Ordinal));
        Assert.Equal(kind != "llama", _fake.Products.Any(p => p.EndsWith(" with bias", StringComparison.Ordinal)));
        Assert.InRange(_fake.Questions, 3, 60);
        Assert.True(_fake.Products.Count >= 3 * _fake.Questions, $"{_fake.Products.Count} products, {_fake.Questions} questions");
    }

    [Theory]
    [InlineData("gpt2", false)]
    [InlineData("llama", true)]
    public void Products_of_16_bits_take_them_and_sum_in_fp32(string kind, bool isFp16)
    {
        var precision = isFp16 ? Precision.Fp16 : Precision.Bf16;
        var plain = Train(ModelOf(kind), 1, true, precision);
        Assert.InRange(
            KernelDeviceTests.Distance(plain, Train(ModelOf(kind), 1, true, precision, _fake)), 0, 0.02);
        var types = _fake.Products.Select(
            p => p[p.IndexOf(" of ", StringComparison.Ordinal)..].Replace(" with bias", "", StringComparison.Ordinal)).ToHashSet();
        // To the type, and gradients of weights to fp32; of fp16 the logits are fp32 all the way.
        Assert.Equal(isFp16 ? [" of 0 0", " of 2 0", " of 2 2"] : new HashSet<string> { " of 14 0", " of 14 14" }, types);
    }

    [Fact]
    public void GPUs_of_one_replica_give_the_bits_of_one()
    {
        var one = Train(Samples.Tiny(0.1), 1, true, Precision.Bf16, _fake, microBatches: 2);
        var questions = _fake.Questions;
        _fake.Change();
        Assert.Equal(one, Train(Samples.Tiny(0.1), 2, true, Precision.Bf16, _fake, microBatches: 2));
        Assert.Equal(questions, _fake.Questions);
    }

    [Fact]
    public void Muon_orthogonalizes_by_them()
    {
        Muon Optimizer() => new(Samples.Optimizer() with { Kind = "muon" });
        var plain = Train(Samples.Tiny(), 1, true, Precision.Fp32, optimizer: Optimizer());
        Train(Samples.Tiny(), 1, true, Precision.Fp32, _fake);
        var withAdamW = _fake.Products.Count;
        _fake.Clear();
        Assert.InRange(
            KernelDeviceTests.Distance(
                plain, Train(Samples.Tiny(), 1, true, Precision.Fp32, _fake, Optimizer())), 0, 1e-4);
        // Three products in each of five iterations, for six matrices (queries, keys and values are three) of two blocks, in three steps.
        Assert.Equal(withAdamW + 3 * 5 * 12 * 3, _fake.Products.Count);
    }

    [Fact]
    public void A_failed_product_ends_the_pass_forwards_and_backwards_and_its_GPU_stays()
    {
        Train(Samples.Tiny(), 1, true, Precision.Fp32, _fake);
        var ofAPass = _fake.Products.Count / 3;
        // The first product, and one of the first backward pass.
        foreach (var after in new[] { 0, ofAPass - 2 })
        {
            _fake.Fail(after, 13);
            var failure = Assert.ThrowsAny<Exception>(
                () => Train(Samples.Tiny(), 1, true, Precision.Fp32, _fake));
            Assert.False(failure is ElasticException or DeviceFailedException { IsLost: true });
            Assert.Contains("with status 13 (the GPU program failed to execute)", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_product_without_memory_says_so_as_other_failures_for_want_of_it_do()
    {
        _fake.Fail(0, 3);
        var failure = Assert.ThrowsAny<Exception>(() => Train(Samples.Tiny(), 1, true, Precision.Fp32, _fake));
        var cause = failure is DeviceFailedException { InnerException: { } inner } ? inner : failure;
        Assert.StartsWith("there is not enough memory (cublasLt ", OutOfMemory.Describe(cause), StringComparison.Ordinal);
    }

    [Fact]
    public void A_logical_devices_products_run_on_its_stream_and_the_arithmetic_names_them()
    {
        using var gpus = FakeGpus.Register(1, products: _fake);
        var (device, model) = (new DeviceId("cuda:0#1"), Samples.Tiny());
        var backend = DeviceBackends.Of(device);
        Assert.Contains($", products {ReferenceProducts.DigestOf(_fake.On(0))}", backend.Arithmetic(device), StringComparison.Ordinal);
        _fake.Clear();
        using var open = backend.Open(device, Architectures.Open(model), 0, 1, RecomputeMode.None);
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => backend.Allocate(device, length));
        Initialization.Fill(vectors, 7);
        open.Attach(vectors);
        open.Accumulate(Samples.MicroBatches(model, 1, 1, 0), default, Precision.Fp32, 1);
        var stream = $"multiply 0x{gpus.StreamOf(0, 1).Handle:x} ";
        Assert.All(_fake.Calls.Where(c => c.StartsWith("multiply", StringComparison.Ordinal)),
            c => Assert.StartsWith(stream, c, StringComparison.Ordinal));
        Assert.NotEmpty(_fake.Products);
        // A text that grows has another shape with each token.
        _fake.Clear();
        open.Logits([], [1, 2, 3]);
        Assert.Empty(_fake.Calls);
        using var without = FakeGpus.Register(1);
        Assert.EndsWith(", products of libtorch", DeviceBackends.Of(device).Arithmetic(device), StringComparison.Ordinal);
    }

    // Whoever only asks has an ElasticException: an actor catches no other.
    [Fact]
    public void The_arithmetic_of_a_GPU_without_room_is_refused_and_can_be_asked_for_again()
    {
        using var gpus = FakeGpus.Register(1, products: _fake);
        var device = new DeviceId("cuda:0");
        var backend = DeviceBackends.Of(device);
        _fake.FailNext(3);
        Assert.Contains(
            "cublasLtCreate on GPU 0 with status 3", Assert.Throws<ElasticException>(() => backend.Arithmetic(device)).Message,
            StringComparison.Ordinal);
        _fake.FailNext(1);
        Assert.Throws<ElasticException>(() => backend.TimeProducts(device, 8));
        Assert.Contains(", products ", backend.Arithmetic(device), StringComparison.Ordinal);
    }

    private static float[] Train(
        ModelSettings model, int gpus, bool hasKernels, Precision precision, FakeCublasLt? products = null, IOptimizer? optimizer = null,
        int microBatches = 1)
        => KernelDeviceTests.Train(model, gpus, hasKernels, precision, products, optimizer, microBatches);

    private static ModelSettings ModelOf(string kind) => kind switch
    {
        "llama" => Samples.Llama(2, 4, 2, 32, 16, 97),
        "adapters" => Samples.Tiny() with { Lora = ModelSettings.Defaults.Lora with { Rank = 3, Alpha = 7.5 } },
        "transformer" => Samples.Of("transformer", 2, 4, 32, 16, 97),
        _ => Samples.Tiny(),
    };
}
