using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Which failures are the end of a GPU: the driver is asked, since libtorch's words do not say.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class GpuFailureTests : IDisposable
{
    // Two that no test beside these uses.
    private const int Gpu = 5, Other = 6;

    private readonly TorchDevice _device;

    public GpuFailureTests()
    {
        NativeTorch.Load();
        _device = new TorchDevice(
            new DeviceId($"cuda:{Gpu}"), TorchSharp.torch.CPU, Architectures.Open(Samples.Tiny()), 0, FakeGpu.Shared.Kernels(Gpu), Gpu);
    }

    public void Dispose()
    {
        FakeFlash.Reset();
        FakeGpu.Shared.GiveMemory(70L << 30, 80L << 30);
        FakeGpu.Shared.AnswerToFunction(0);
        FakeGpu.Shared.Lose(Gpu, -1);
        FakeGpu.Shared.Lose(Other, -1);
        _device.Dispose();
    }

    [Theory]
    [InlineData("CUDA error: CUBLAS_STATUS_INTERNAL_ERROR when calling `cublasCreate(handle)`", typeof(InsufficientMemoryException))]
    [InlineData("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(handle)`", typeof(InvalidOperationException))]
    [InlineData("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", typeof(NativeException))]
    [InlineData("CUDA error: out of memory", typeof(NativeException))]
    [InlineData("CUDA out of memory. Tried to allocate 20.00 MiB.", typeof(NativeException))]
    public void What_libtorch_calls_an_error_is_a_loss_where_the_GPU_does_not_answer_and_else_may_pass(string words, Type passing)
    {
        var failure = Assert.Throws(passing, () => Fail(new NativeException($"{words}\nframe #0: c10::Error")));
        Assert.Contains("batch.micro", OutOfMemory.Sentence(failure), StringComparison.Ordinal);
        Assert.DoesNotContain("frame", OutOfMemory.Sentence(failure), StringComparison.Ordinal);
        Assert.Equal(3, _device.Use(() => 3));

        // After an illegal address, for instance.
        FakeGpu.Shared.LoseNow(Gpu);
        var loss = Assert.Throws<DeviceFailedException>(() => Fail(new NativeException(words)));
        Assert.Equal((new DeviceId($"cuda:{Gpu}"), true), (loss.Device, loss.IsLost));
        Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", loss.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_driver_refuses_for_now_is_tried_again_and_what_the_call_did_wrong_is_not()
    {
        var memory = Assert.Throws<InsufficientMemoryException>(() => Fail(new CudaException(2, "out of memory")));
        Assert.Contains("batch.micro", OutOfMemory.Describe(memory), StringComparison.Ordinal);
        Assert.Equal("busy", Assert.Throws<InvalidOperationException>(() => Fail(new CudaException(46, "busy"))).Message);
        Assert.Throws<CudaException>(() => Fail(new CudaException(209, "made for another GPU")));
        Assert.True(Assert.Throws<DeviceFailedException>(() => Fail(new CudaException(700, "an illegal address"))).IsLost);
    }

    [Theory]
    [InlineData("a product of libtorch's", "a step")]
    [InlineData("a product", "a stage's step without an update")]
    [InlineData("attention", "losses")]
    [InlineData("a product", "logits")]
    [InlineData("opening", "a step")]
    public async Task A_GPU_that_refuses_what_another_one_does_is_taken_for_lost_unless_a_step_succeeds_in_between(
        string work, string success)
    {
        var (refusals, products) = (new GpuRefusals(), new FakeCublasLt());
        var (batches, id) = (Samples.MicroBatches(Samples.Tiny(), 1, 2, 0), new DeviceId($"cuda:{Gpu}"));
        using var gpus = new FakeGpus(Other + 1, null, products);
        var backend = new TorchBackend("cuda", gpus, refusals);
        using var vectors = new ReplicaVectors(
            Architectures.LayoutOf(Samples.Tiny()), length => new TorchVector(length, TorchSharp.torch.CPU, 0));
        // As each attempt does.
        TorchDevice Open(DeviceProducts? by = null, int gpu = Gpu)
        {
            var device = new TorchDevice(
                new DeviceId($"cuda:{gpu}"), TorchSharp.torch.CPU, Architectures.Open(Samples.Tiny()), 0, FakeGpu.Shared.Kernels(gpu), gpu,
                flash: FakeFlash.New(), products: by, refusals: refusals);
            device.Attach(vectors);
            return device;
        }
        Exception Refused()
        {
            switch (work)
            {
                case "opening":
                    products.FailNext(14);
                    return Assert.ThrowsAny<Exception>(
                        () => backend.Open(id, Architectures.Open(Samples.Tiny()), 0, 1, RecomputeMode.None));
                case "attention":
                    FakeFlash.Refuses = "forward";
                    break;
                case "a product":
                    products.Fail(0, 13);
                    break;
                default:
                    return Attempt("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(handle)`");
            }
            using var device = Open(products.On(Gpu));
            device.NarrowSlice(Slice.Split(vectors.Layout, 1)[0], Precision.Bf16);
            var failure = Assert.ThrowsAny<Exception>(() => device.Accumulate(batches, default, Precision.Bf16, 1));
            FakeFlash.Refuses = null;
            return failure;
        }
        Exception Attempt(string words)
        {
            using var device = Open();
            return Assert.ThrowsAny<Exception>(() => device.Use<bool>(() => throw new NativeException(words)));
        }
        void MayPass(Exception failure)
        {
            Assert.IsType<InvalidOperationException>(failure);
            Assert.Contains("answers, and has refused work (", failure.Message, StringComparison.Ordinal);
            Assert.EndsWith("where its memory did not suffice, lower batch.micro", failure.Message, StringComparison.Ordinal);
        }
        // Another GPU does that work, or other work.
        void DoElsewhere(bool isSame)
        {
            if (work == "opening")
            {
                if (isSame)
                    backend.Open(new DeviceId($"cuda:{Other}"), Architectures.Open(Samples.Tiny()), 0, 1, RecomputeMode.None).Dispose();
                return;
            }
            using var other = Open(gpu: Other);
            if (isSame == work is "a product of libtorch's")
                Assert.True(other.Use(() => true));
            else if (isSame)
            {
                other.NarrowSlice(Slice.Split(vectors.Layout, 1)[0], Precision.Bf16);
                other.Accumulate(batches, default, Precision.Bf16, 1);
            }
        }
        for (var i = 0; i < 2; i++)
        {
            MayPass(Refused());
            DoElsewhere(isSame: true);
        }
        using (var device = Open())
        {
            await SucceedAsync(device);
        }
        for (var i = 0; i < 4; i++)
        {
            // What each GPU refuses is not this one's fault, nor is it that of a GPU that is alone.
            DoElsewhere(isSame: false);
            // What any GPU would refuse is not this one's fault, however often.
            MayPass(Attempt("CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `cublasGemmEx(handle)`"));
            MayPass(Refused());
        }
        DoElsewhere(isSame: true);
        var loss = Assert.IsType<DeviceFailedException>(Refused());
        Assert.Equal((id, true), (loss.Device, loss.IsLost));
        Assert.Contains("answers, and has refused 3 times in a row what another GPU does (", loss.Message, StringComparison.Ordinal);
        Assert.EndsWith("where its memory did not suffice, lower batch.micro", loss.Message, StringComparison.Ordinal);
        // Whoever adds it again has its word that it is well.
        MayPass(Refused());

        async Task SucceedAsync(TorchDevice device)
        {
            var threads = new[] { new InlineDevice(device) };
            switch (success)
            {
                case "losses":
                    device.Losses(batches[0]);
                    break;
                case "logits":
                    device.Logits([], [1, 2, 3]);
                    break;
                case "a step":
                    var step = new TrainingStep(
                        threads, new LocalCollective(threads), vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Fp32);
                    await step.RunAsync(batches, default, 1e-2, 1);
                    break;
                default:
                    using (var part = new ReplicaVectors(vectors.Layout, length => new PiecedVector(length, [])))
                    {
                        device.Attach(part);
                        device.UpdateSlice(default, new AdamW(Samples.Optimizer()), new OptimizerStep(1e-2, 1, 1));
                    }
                    break;
            }
        }
    }

    [Theory]
    [InlineData("forward")]
    [InlineData("backward")]
    [InlineData("a product")]
    public void What_a_GPU_refuses_that_has_little_memory_left_is_want_of_memory_and_no_loss(string work)
    {
        var (refusals, products) = (new GpuRefusals(), new FakeCublasLt());
        using var vectors = new ReplicaVectors(
            Architectures.LayoutOf(Samples.Tiny()), length => new TorchVector(length, TorchSharp.torch.CPU, 0));
        // The other GPU does what this one refuses.
        void Accumulate(int gpu)
        {
            using var device = new TorchDevice(
                new DeviceId($"cuda:{gpu}"), TorchSharp.torch.CPU, Architectures.Open(Samples.Tiny()), 0, FakeGpu.Shared.Kernels(gpu), gpu,
                flash: FakeFlash.New(), products: gpu == Gpu && work == "a product" ? products.On(gpu) : null, refusals: refusals);
            device.Attach(vectors);
            device.NarrowSlice(Slice.Split(vectors.Layout, 1)[0], Precision.Bf16);
            device.Accumulate(Samples.MicroBatches(Samples.Tiny(), 1, 2, 0), default, Precision.Bf16, 1);
        }
        for (var i = 0; i < 4; i++)
        {
            FakeGpu.Shared.GiveMemory(100L << 20, 80L << 30);
            FakeFlash.Refuses = work;
            products.Fail(0, 13);
            var failure = Assert.Throws<InsufficientMemoryException>(() => Accumulate(Gpu));
            Assert.StartsWith($"cuda:{Gpu} has 100 MiB left; ", failure.Message, StringComparison.Ordinal);
            Assert.Contains("lower batch.micro", OutOfMemory.Describe(failure), StringComparison.Ordinal);
            FakeFlash.Refuses = null;
            Accumulate(Other);
        }
    }

    [Fact]
    public void A_logical_device_shows_nothing_of_another_one_of_its_GPU()
    {
        var (refusals, one) = (new GpuRefusals(), new DeviceId("cuda:5#0"));
        for (var i = 0; i < 2 * GpuRefusals.Most; i++)
        {
            Assert.False(refusals.IsOneTooMany(one, "a pass"));
            refusals.NoteDone(new DeviceId("cuda:5#1"), () => "a pass");
        }
        refusals.NoteDone(new DeviceId("cuda:6#1"), () => "a pass");
        Assert.True(refusals.IsOneTooMany(one, "a pass"));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(Gpu)]
    [InlineData(Other)]
    public void A_copy_that_fails_tells_which_of_the_two_GPUs_is_lost_or_that_both_are_there(int lost)
    {
        var failure = Assert.ThrowsAny<Exception>(() => _device.Use(() =>
        {
            _device.Across(new DeviceId($"cuda:{Other}"), Other, () =>
            {
                if (lost >= 0)
                    FakeGpu.Shared.LoseNow(lost);
                throw new NativeException("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED");
            });
            return true;
        }));
        if (lost < 0)
            Assert.IsType<InvalidOperationException>(failure);
        else
            Assert.Equal((new DeviceId($"cuda:{lost}"), true), failure is DeviceFailedException f ? (f.Device, f.IsLost) : default);
    }

    [Fact]
    public void Kernels_are_loaded_before_the_first_step_and_memory_that_is_short_then_is_tried_again()
    {
        var (fake, id) = (FakeGpu.Shared, new DeviceId("cuda:0"));
        Assert.Equal(fake.KernelNames.Order(StringComparer.Ordinal), KernelNames.All.Order(StringComparer.Ordinal));
        using var gpus = new FakeGpus(1, null, null);
        TrainingDevice Open() => new TorchBackend("cuda", gpus).Open(id, Architectures.Open(Samples.Tiny()), 0, 1, RecomputeMode.None);
        fake.AnswerToFunction(CudaException.OutOfMemory);
        var loaded = fake.Modules;
        var failure = Assert.Throws<InsufficientMemoryException>(Open);
        Assert.Contains("cuModuleGetFunction", failure.Message, StringComparison.Ordinal);
        Assert.Equal(loaded, fake.Modules);

        fake.AnswerToFunction(0);
        using var device = Open();
        // By then libtorch may have all memory.
        fake.AnswerToFunction(CudaException.OutOfMemory);
        var asked = fake.FunctionsAsked;
        using var vectors = new ReplicaVectors(
            Architectures.LayoutOf(Samples.Tiny()), length => new TorchVector(length, TorchSharp.torch.CPU, 0));
        Initialization.Fill(vectors, 7);
        device.Attach(vectors);
        device.Accumulate(Samples.MicroBatches(Samples.Tiny(), 1, 2, 0), default, Precision.Fp32, 1);
        Assert.Equal(asked, fake.FunctionsAsked);
    }

    // Nobody tries it again; ErrorReport takes any other exception for a defect.
    [Theory]
    [InlineData(46, "cuModuleGetFunction")]
    [InlineData(CudaException.OutOfMemory, "there is not enough memory (")]
    [InlineData(719, "cuda:0 is lost to this process: ")]
    public void What_keeps_somebody_from_a_GPU_who_does_not_work_is_said_in_the_drivers_words(int code, string words)
    {
        using var gpus = FakeGpus.Register(1);
        var (id, backend) = (new DeviceId("cuda:0"), (TorchBackend)DeviceBackends.Find("cuda")!);
        FakeGpu.Shared.AnswerToFunction(code);
        var busy = Assert.Throws<ElasticException>(
            () => DeviceBackends.Ask(() => backend.Open(id, Architectures.Open(Samples.Tiny()), 0, 1, RecomputeMode.None)));
        Assert.Contains(words, busy.Message, StringComparison.Ordinal);
        Assert.Equal(busy.Message, Assert.Throws<ElasticException>(() => backend.TimeStep(id, Samples.Tiny(), 1, 1)).Message);
    }

    private void Fail(Exception e) => _device.Use<bool>(() => throw e);

    // What TorchSharp throws for an error of libtorch's.
    private sealed class NativeException(string words) : ExternalException(words);
}
