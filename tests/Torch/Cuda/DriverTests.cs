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
            $"kernels {KernelSource.Hash} on GPU 1: 185 of 185 give the CPU's bits",
            CudaDescription.Of(FakeGpu.Shared.Kernels(1), TorchSharp.torch.CPU));
    }

    [Fact]
    public void A_GPU_that_another_process_has_is_named_and_one_that_is_lost_ends_the_description()
    {
        var busy = new CudaException(46, "cuDevicePrimaryCtxRetain of GPU 1: devices are busy");
        var refused = new ElasticException("attention cannot be tried: 3 MiB are free");
        var lost = new CudaException(700, "an illegal address");
        Assert.Equal($"GPU 1 cannot be had now: {busy.Message}", CudaDescription.KernelsOf(1, _ => throw busy));
        Assert.Equal($"products on GPU 1, not measured: {busy.Message}", CudaDescription.MeasuredOf("products", 1, _ => throw busy));
        Assert.Equal(
            $"attention on GPU 1, not measured: {refused.Message}", CudaDescription.MeasuredOf("attention", 1, _ => throw refused));
        Assert.Equal("attention on GPU 1", CudaDescription.MeasuredOf("attention", 1, gpu => $"attention on GPU {gpu}"));
        Assert.Same(lost, Assert.Throws<CudaException>(() => CudaDescription.KernelsOf(1, _ => throw lost)));
        Assert.Same(lost, Assert.Throws<CudaException>(() => CudaDescription.MeasuredOf("attention", 1, _ => throw lost)));
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
        var units = KernelSource.Units.Count;
        Assert.Equal(units, FakeGpu.CompiledTimes(nvrtc));
        Assert.Equal(units, Directory.GetFiles(Folder).Length);
        var file = Directory.GetFiles(Folder)[0];
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Equal(cubin, compiler.Compile(9, 0));
        Assert.Equal(units + 1, FakeGpu.CompiledTimes(nvrtc));
    }

    [Fact]
    public void Of_compiled_kernels_the_newest_are_kept_and_what_killed_processes_left_goes()
    {
        var kept = KernelCompiler.MostKept;
        string[] half = [.. new[] { "a.cubin", "b.cubin" }.Select(name => DurableFile.TemporaryPath(Path.Combine(Folder, name)))];
        foreach (var (age, name) in Enumerable.Range(1, kept + 8).Select(i => Path.Combine(Folder, $"{i}.cubin")).Prepend(half[0]).Index())
        {
            File.WriteAllText(name, "old");
            File.SetLastWriteTimeUtc(name, DateTime.UtcNow.AddHours(-2 - age));
        }
        File.WriteAllText(half[1], "being written");
        _ = FakeGpu.Shared.Compiler(Folder).Compile(9, 0);
        var left = Directory.GetFiles(Folder).Select(Path.GetFileName).ToList();
        Assert.Equal(kept + 1, left.Count);
        Assert.Contains(Path.GetFileName(half[1]), left);
        // Each unit's file takes the place of an old one.
        Assert.Contains($"{kept - KernelSource.Units.Count}.cubin", left);
        Assert.DoesNotContain($"{kept - KernelSource.Units.Count + 1}.cubin", left);
    }

    [Fact]
    public void Without_a_folder_of_the_users_own_nothing_is_kept()
    {
        var nvrtc = FakeGpu.Shared.Load("libuncached.so.12", "fake_nvrtc.c", []);
        var compiler = new KernelCompiler("libnvrtc.so.12", nvrtc, KernelCompiler.CacheIn(""));
        Assert.Equal(compiler.Compile(9, 0), compiler.Compile(9, 0));
        Assert.Equal(2 * KernelSource.Units.Count, FakeGpu.CompiledTimes(nvrtc));
        Assert.Equal(Path.Combine(Folder, "elastic", "kernels"), KernelCompiler.CacheIn(Folder));
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
        var refusal = Assert.Throws<CudaException>(() => driver.Function([driver.LoadModule("fake cubin for sm_90"u8)], "no_kernel"));
        Assert.StartsWith(
            "the CUDA driver answers cuModuleGetFunction no_kernel with error 500 (CUDA_ERROR_NOT_FOUND: an error of the fake)",
            refusal.Message, StringComparison.Ordinal);
        Assert.False(refusal.IsLost);
        Assert.False(Assert.Throws<CudaException>(() => driver.LoadModule("fake cubin for sm_13"u8)).IsLost);
        Assert.False(new CudaException(46, "").IsLost);
        // Another process has the GPU, or its memory, now; a kernel that was made for another GPU stays one.
        Assert.Equal([true, true, false], new[] { 2, 46, 209 }.Select(code => new CudaException(code, "").IsPassing));
        Assert.True(new CudaException(719, "").IsLost);
        Assert.True(new CudaException(999, "").IsLost);
    }

    [Fact]
    public void Memory_of_a_GPU_that_cannot_be_had_is_not_used_in_place()
    {
        // The last one, which no test beside this one uses.
        const int other = 7;
        var (fake, driver) = (FakeGpu.Shared, FakeGpu.Shared.Driver);
        fake.Take(other);
        var memory = new PeerMemory(driver, 0, driver.ContextOf(0));
        Assert.False(memory.Includes(other));
        fake.Take(-1);
        Assert.False(memory.Includes(other));
        Assert.True(new PeerMemory(driver, 0, driver.ContextOf(0)).Includes(other));
        Assert.True(memory.Includes(0));
    }

    [Fact]
    public void Memory_that_libtorch_maps_for_one_GPU_is_not_used_in_place()
    {
        Assert.False(PeerMemory.IsMapped([null, "max_split_size_mb:512,expandable_segments:False"]));
        Assert.True(PeerMemory.IsMapped([null, "max_split_size_mb:512,expandable_segments:True"]));
        Assert.True(PeerMemory.IsMapped(["expandable_segments: True", null]));
        Assert.True(PeerMemory.IsMapped(["backend:cudaMallocAsync", null]));
    }

    [Fact]
    public void A_library_that_a_package_has_renamed_is_found_beside_libtorch()
    {
        NativeTorch.Load();
        FakeGpu.Shared.Load("libhashed.so.12", "fake_nvrtc.c", []);
        var path = Path.Combine(Folder, "libhashed-2bb82d1a.so.13");
        File.Copy(Path.Combine(FakeGpu.Shared.Folder, "fake-libhashed.so.12"), path);
        Assert.Equal(path, CudaLibraries.Find(["libhashed.so.13"], Folder)?.Path);
        Assert.Null(CudaLibraries.Find(["libhashed.so.14"], Folder));
        Assert.Equal(13, CudaLibraries.MajorOf("libhashed.so.13"));
    }
}
