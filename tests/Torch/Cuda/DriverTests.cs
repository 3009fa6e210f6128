using Elastic.Foundation;
using Elastic.Testing;
using Elastic.Torch.Cuda;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>The bindings of driver and compiler against fakes that check what they are given.</summary>
public sealed class DriverTests : TemporaryFolder
{
    [Fact]
    public void GPUs_are_described_with_what_they_reach()
        => Assert.Equal(
            "driver for CUDA 12.8, GPU 0 Fake GPU 0 (capability 9.0) reaches 1; GPU 1 Fake GPU 1 (capability 9.0) reaches 0",
            CudaDescription.Of(FakeGpu.Shared.Driver));

    [Fact]
    public void A_GPUs_kernels_are_compared_with_the_CPUs()
    {
        NativeTorch.Load();
        Assert.Equal(
            $"kernels {KernelSource.Hash} on GPU 1: 65 of 65 give the CPU's bits",
            CudaDescription.Of(FakeGpu.Shared.Kernels(1), TorchSharp.torch.CPU));
    }

    [Fact]
    public void A_missing_function_is_named_where_it_is_called_and_is_no_error_elsewhere()
    {
        var library = FakeGpu.Shared.Load("libold.so.1", "fake_nvrtc.c", []);
        var functions = new NativeFunctions("libold.so.1", library, ["nvrtcVersion", "nvrtcGetNewThing"]);
        Assert.Equal(["nvrtcGetNewThing"], functions.Missing);
        Assert.NotEqual(0, functions["nvrtcVersion"]);
        Assert.Equal(
            "libold.so.1 has no nvrtcGetNewThing: install a driver and a libtorch that belong together",
            Assert.Throws<ElasticException>(() => functions["nvrtcGetNewThing"]).Message);
    }

    [Fact]
    public void Kernels_are_compiled_once_and_a_damaged_file_is_made_again()
    {
        // One of its own: tests beside this one compile, too.
        var nvrtc = FakeGpu.Shared.Load("libcounted.so.12", "fake_nvrtc.c", []);
        var compiler = new KernelCompiler("libnvrtc.so.12", nvrtc, Folder);
        var cubin = compiler.Compile(9, 0);
        Assert.Equal(cubin, new KernelCompiler("libnvrtc.so.12", nvrtc, Folder).Compile(9, 0));
        Assert.Equal(1, FakeGpu.CompiledTimes(nvrtc));
        var file = Assert.Single(Directory.GetFiles(Folder));
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Equal(cubin, compiler.Compile(9, 0));
        Assert.Equal(2, FakeGpu.CompiledTimes(nvrtc));
    }

    [Fact]
    public void A_compilers_words_are_passed_on()
        => Assert.Equal(
            "NVRTC 12.8 does not compile the kernels with --gpu-architecture=sm_13 (NVRTC_ERROR_COMPILATION): " +
            "elastic.cu(1): error: the fake knows no sm_13",
            Assert.Throws<ElasticException>(() => FakeGpu.Shared.Compiler(Folder).Compile(1, 3)).Message);

    [Fact]
    public void What_the_call_did_is_no_loss_of_the_GPU()
    {
        var driver = FakeGpu.Shared.Driver;
        driver.Enter(driver.ContextOf(0));
        var refusal = Assert.Throws<CudaException>(() => driver.Function(driver.LoadModule("fake cubin for sm_90"u8), "no_kernel"));
        Assert.StartsWith(
            "the CUDA driver answers cuModuleGetFunction no_kernel with error 500 (CUDA_ERROR_NOT_FOUND: an error of the fake)",
            refusal.Message, StringComparison.Ordinal);
        Assert.False(refusal.IsLost);
        Assert.False(Assert.Throws<CudaException>(() => driver.LoadModule("fake cubin for sm_13"u8)).IsLost);
        Assert.True(new CudaException(719, "").IsLost);
        Assert.True(new CudaException(999, "").IsLost);
    }
}
