using System.Diagnostics;
using System.Runtime.InteropServices;
using Elastic.Testing;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// The tests' own driver, compiler of kernels and collectives, in C beside this file: fakes, no NVIDIA library, and no GPU. The driver runs
/// our kernels, the very source that NVRTC would compile, on the CPU. Made once in a process, by the system's compiler.
/// </summary>
internal sealed unsafe class FakeGpu
{
    private static readonly Lazy<FakeGpu> Made = new(() => new FakeGpu());

    private readonly nint _driver, _nvrtc;

    private FakeGpu()
    {
        Requirement.Need(OperatingSystem.IsLinux(), "needs libraries of Linux");
        Requirement.Need(!File.Exists("/dev/nvidiactl"), "needs a machine without a GPU: the test brings a driver of its own");
        Folder = Directory.CreateTempSubdirectory("elastic-fake-gpu-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Folder, true);
        foreach (var name in new[] { "fiber.h", "fake_cuda.cpp", "fake_nvrtc.c" })
            Write(name);
        File.WriteAllText(Path.Combine(Folder, "kernels.cu"), KernelSource.Text);
        // A fused multiply-add is an instruction where the processor has one, and else the C library's exact function.
        string[] fused = RuntimeInformation.ProcessArchitecture == Architecture.X64 && System.Runtime.Intrinsics.X86.Fma.IsSupported
            ? ["-mfma"]
            : [];
        // Kernels move neighbours as words (memory.cuh). Between accesses of two types a CPU's compiler would assume that they never meet.
        _driver = Load("libcuda.so.1", "fake_cuda.cpp", ["-O1", "-std=c++17", "-ffp-contract=off", "-fno-strict-aliasing", .. fused]);
        _nvrtc = Load("libnvrtc.so.12", "fake_nvrtc.c", []);
        Driver = new CudaDriver(_driver);
    }

    /// <summary>That of this process.</summary>
    public static FakeGpu Shared => Made.Value;

    public string Folder { get; }

    public CudaDriver Driver { get; }

    /// <summary>How often a compiler has compiled.</summary>
    public static int CompiledTimes(nint nvrtc) => ((delegate* unmanaged<int>)Export(nvrtc, "fake_compiled"))();

    /// <summary>A line for each kernel that ran since <see cref="Clear"/>: its name and its GPU.</summary>
    public IReadOnlyList<string> Calls =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export(_driver, "fake_calls"))())!
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The kernels that it can run.</summary>
    public IReadOnlyList<string> KernelNames =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export(_driver, "fake_kernels"))())!
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Clear() => ((delegate* unmanaged<void>)Export(_driver, "fake_clear"))();

    /// <summary>A GPU falls off the bus after so many launches; never where that is negative, and then it is whole again.</summary>
    public void Lose(int gpu, int afterLaunches) =>
        ((delegate* unmanaged<int, int, void>)Export(_driver, "fake_lose"))(gpu, afterLaunches);

    /// <summary>Another process has a GPU for itself; none where that is negative.</summary>
    public void Take(int gpu) => ((delegate* unmanaged<int, void>)Export(_driver, "fake_take"))(gpu);

    /// <summary>What the driver answers this thread when it asks for a kernel; 0 for the kernel.</summary>
    public void AnswerToFunction(int error) => ((delegate* unmanaged<int, void>)Export(_driver, "fake_answer_to_function"))(error);

    /// <summary>How often this thread has asked for a kernel.</summary>
    public int FunctionsAsked => ((delegate* unmanaged<int>)Export(_driver, "fake_functions_asked"))();

    /// <summary>Modules that this thread has loaded, and not taken away.</summary>
    public int Modules => ((delegate* unmanaged<int>)Export(_driver, "fake_modules"))();

    /// <summary>A GPU has fallen off the bus.</summary>
    public void LoseNow(int gpu)
    {
        Lose(gpu, 0);
        Driver.Enter(Driver.ContextOf(gpu));
        Assert.Throws<CudaException>(Launch);

        void Launch()
        {
            void* none;
            Driver.Launch(0, 1, 1, &none, "any kernel", 0);
        }
    }

    /// <summary>Copies that did not wait, or whose memory was written before, since this was asked last.</summary>
    public IReadOnlyList<string> Faults =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export(_driver, "fake_faults"))())!
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Bytes that each GPU has.</summary>
    public void GiveMemory(long free, long all) =>
        ((delegate* unmanaged<nuint, nuint, void>)Export(_driver, "fake_memory"))((nuint)free, (nuint)all);

    /// <summary>Whether the GPUs reach each other's memory.</summary>
    public void Separate(bool isSeparate) =>
        ((delegate* unmanaged<int, void>)Export(_driver, "fake_separate"))(isSeparate ? 1 : 0);

    /// <summary>Bytes of a structure of the kernels, as the compiler lays it out.</summary>
    public nuint SizeOf(string which) => ((delegate* unmanaged<nuint>)Export(_driver, $"fake_{which}_bytes"))();

    public KernelCompiler Compiler(string cache) => new("libnvrtc.so.12", _nvrtc, cache);

    public DeviceKernels Kernels(int index, GpuStream? stream = null) =>
        new(Driver, Compiler(Path.Combine(Folder, "cache")), index, stream?.Handle ?? 0);

    /// <summary>A stream of a GPU, which libtorch's operators would use, too.</summary>
    public GpuStream NewStream(int index) => new(Driver, new TorchStreams(_driver), index);

    /// <summary>Compiles a library of the tests' resources, and loads it.</summary>
    public nint Load(string soname, string source, IReadOnlyList<string> options)
    {
        var compiler = Programs.Find(Programs.SearchPath, source.EndsWith(".c", StringComparison.Ordinal)
            ? ["cc", "gcc", "clang"]
            : ["c++", "g++", "clang++"]);
        Requirement.Need(compiler is not null, "needs a compiler of C and C++: apt-get install g++");
        Write(source);
        var library = Path.Combine(Folder, "fake-" + soname);
        using var process = Process.Start(
            compiler, ["-shared", "-fPIC", "-pthread", .. options, $"-Wl,-soname,{soname}", "-o", library, Path.Combine(Folder, source)]);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return NativeLibrary.Load(library);
    }

    private static nint Export(nint library, string name) => NativeLibrary.GetExport(library, name);

    private void Write(string resource)
    {
        using var from = typeof(FakeGpu).Assembly.GetManifestResourceStream(resource)!;
        using var into = File.Create(Path.Combine(Folder, resource));
        from.CopyTo(into);
    }
}
