using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Elastic.Foundation;
using Elastic.Torch.Cuda;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>What GPUs compute attention by, what is asked of libtorch for it, and what people are told.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed partial class GpuAttentionTests : IDisposable
{
    public GpuAttentionTests() => FakeFlash.Reset();

    public void Dispose()
    {
        Assert.Null(FakeFlash.Wrong);
        FakeFlash.Reset();
    }

    [Fact]
    public void Plain_operators_compute_where_it_cannot_be_had_and_the_reason_is_kept()
    {
        (FlashAttention? Flash, string? Why) Choose(int major, Func<FlashAttention> open) =>
            GpuAttention.Choose((major, 5), CPU, open, () => 1L << 30);

        Assert.Equal((null, "FlashAttention-2 needs compute capability 8.0, and this is 7.5"), Choose(7, FakeFlash.New));
        var other = FakeGpu.Shared.Load("libother_torch.so", "fake_nvrtc.c", []);
        var (flash, why) = Choose(8, () => FlashAttention.Of(other));
        Assert.Null(flash);
        Assert.StartsWith("libtorch_cuda.so has no aoti_torch_cuda__flash_attention_forward: ", why, StringComparison.Ordinal);
        foreach (var pass in new[] { "forward", "backward" })
        {
            FakeFlash.Refuses = pass;
            (flash, why) = Choose(9, FakeFlash.New);
            Assert.Null(flash);
            Assert.StartsWith($"FlashAttention-2 of libtorch failed in its {pass} pass", why, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_GPU_without_memory_chooses_nothing()
    {
        FakeFlash.Refuses = "forward";
        var refusal = Assert.Throws<ElasticException>(() => GpuAttention.Choose((9, 0), CPU, FakeFlash.New, () => 100L << 20));
        Assert.StartsWith("attention cannot be tried: FlashAttention-2 of libtorch failed", refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith("(100 MiB are free: stop what else uses the GPU)", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public unsafe void Where_it_can_libtorch_is_asked_for_the_same_bits_each_time()
    {
        Determinism.Demand();
        var (flash, why) = GpuAttention.Choose((8, 0), CPU, FakeFlash.New, () => 1L << 30);
        Assert.NotNull(flash);
        Assert.Null(why);
        // Of whole sequences, and of a window in segments.
        Assert.Equal((2, 2), FakeFlash.Calls);
        nint Export(string name) => NativeLibrary.GetExport(NativeTorch.FindLoaded("libtorch_cpu.so"), name);
        var context = ((delegate* unmanaged<nint>)Export("_ZN2at13globalContextEv"))();
        bool Says(string what) => ((delegate* unmanaged<nint, byte>)Export($"_ZNK2at7Context{what}Ev"))(context) != 0;
        Assert.True(Says("23deterministicAlgorithms"));
        Assert.False(Says("31deterministicAlgorithmsWarnOnly"));
        Assert.False(Says("36deterministicFillUninitializedMemory"));
        // CuBLASReductionOption of ATen/Context.h: 1 is fp32 whether a sum is split or not, and 0, libtorch's own, is not.
        byte SumsOf(string type) => ((delegate* unmanaged<nint, byte>)Export($"_ZNK2at7Context24allow{type}ReductionCuBLASEv"))(context);
        Assert.Equal((1, 1), (SumsOf("BF16"), SumsOf("FP16")));
        Assert.False(Says("27allowFP16AccumulationCuBLAS"));
        Assert.Equal(":4096:8", Marshal.PtrToStringUTF8(Variable("CUBLAS_WORKSPACE_CONFIG")));
    }

    [Fact]
    public void A_GPUs_ways_are_run_again_and_again_and_compared()
    {
        NativeTorch.Load();
        set_num_threads(1);
        const string same = "20 of 20 results the same, ";
        string Of(FlashAttention? flash) => TimesIn().Replace(
            CudaDescription.Of(new AttentionCheck(CPU, 1, 2, 32, 8), 3, flash, flash is null ? "no library" : null), "ms");

        Assert.Equal($"attention on GPU 3 by plain operators (no library): {same}ms", Of(null));
        var text = Of(FakeFlash.New());
        Assert.Matches($@"^attention on GPU 3 by FlashAttention-2: {same}ms, within 0\.00\d\d of plain operators: {same}ms$", text);

        FakeFlash.Reset();
        FakeFlash.IsShaky = true;
        Assert.Contains("FlashAttention-2: 10 of 20 results the same, ms, within", Of(FakeFlash.New()), StringComparison.Ordinal);
        // The first of the next ones is another way round.
        using (var x = ones([1, 2, 16, 16], float32))
        using (var saved = FakeFlash.New().Forward(x, x, x, new AttentionRule(true)))
            FakeFlash.New().Backward(saved, x);
        Assert.Contains("ms, WRONG, not within 2.0", Of(FakeFlash.New()), StringComparison.Ordinal);
        FakeFlash.Refuses = "forward";
        Assert.StartsWith(
            "attention on GPU 3 by FlashAttention-2, not measured: FlashAttention-2 of libtorch failed in its forward pass",
            Of(FakeFlash.New()), StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\d+\.\d\d ms", RegexOptions.NonBacktracking)]
    private static partial Regex TimesIn();

    [LibraryImport("libc.so.6", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Variable(string name);
}
