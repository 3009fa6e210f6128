using System.Diagnostics;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Model.Tests;
using Elastic.Testing;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests;

/// <summary>
/// The driver and cublasLt as libraries of the test's own, under the names that the real ones have: a GPU of the numbers that the test
/// states, in a process of its own, because a library that is loaded stays.
/// </summary>
public sealed class CudaIdentityTests(ITestOutputHelper output) : TemporaryFolder
{
    private const string Driver = """
        int cuInit(unsigned flags) { return flags; }
        int cuDeviceGet(int *device, int index) { *device = index + 40; return index < 2 ? 0 : 101; }
        int cuDeviceGetAttribute(int *value, int which, int device)
        {
            *value = which == 16 ? 132 : which == 75 ? 9 : which == 76 ? device - 40 : -1;
            return 0;
        }
        """;

    private const string CublasLt = "unsigned long cublasLtGetVersion(void) { return 120803; }";

    [Fact]
    public void It_names_capability_multiprocessors_and_the_loaded_cublasLt()
        => Assert.Contains(
            "identity: capability 9.1, 132 multiprocessors, cublasLt 120803", Child(nameof(Child_reads_the_identity), true, true),
            StringComparison.Ordinal);

    [Fact]
    public void What_is_missing_or_fails_is_named()
    {
        Assert.Contains("libcuda.so.1 does not load: install the driver", Child(nameof(Child_reads_the_identity), false, false),
            StringComparison.Ordinal);
        Assert.Contains("libtorch has loaded none of libcublasLt.so.13, libcublasLt.so.12, libcublasLt.so.11",
            Child(nameof(Child_reads_the_identity), true, false), StringComparison.Ordinal);
        Assert.Contains("answers cuDeviceGet of GPU 5 with error 101", Child(nameof(Child_asks_for_a_GPU_that_is_not_there), true, true),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Child_reads_the_identity() => Report(1);

    [Fact]
    public void Child_asks_for_a_GPU_that_is_not_there() => Report(5);

    private void Report(int device)
    {
        if (!ChildProcess.IsChild)
            return;
        foreach (var library in Environment.GetEnvironmentVariable("FAKE_LIBRARIES")!.Split(':', StringSplitOptions.RemoveEmptyEntries))
            NativeLibrary.Load(library);
        try
        {
            output.WriteLine($"identity: {CudaIdentity.Of(device).Text}");
        }
        catch (ElasticException e)
        {
            output.WriteLine(e.Message);
        }
    }

    private string Child(string method, bool hasDriver, bool hasCublasLt)
    {
        Requirement.Need(!File.Exists("/dev/nvidiactl"), "needs a machine without a GPU: the test brings a driver of its own");
        List<string> libraries = [];
        if (hasDriver)
            libraries.Add(Compile("libcuda.so.1", Driver));
        if (hasCublasLt)
            libraries.Add(Compile("libcublasLt.so.12", CublasLt));
        var (exitCode, text) = ChildProcess.Run(typeof(CudaIdentityTests), method, ("FAKE_LIBRARIES", string.Join(':', libraries)));
        Assert.True(exitCode == 0, text);
        return text;
    }

    private string Compile(string soname, string source)
    {
        Requirement.Need(OperatingSystem.IsLinux(), "needs libraries of Linux");
        var compilerPath = Programs.Find(Programs.SearchPath, "cc", "gcc", "clang");
        Requirement.Need(compilerPath is not null, "needs a C compiler: apt-get install gcc libc6-dev");
        string file = Path.Combine(Folder, soname + ".c"), library = Path.Combine(Folder, "fake-" + soname);
        File.WriteAllText(file, source);
        using var compiler = Process.Start(compilerPath, ["-shared", "-fPIC", $"-Wl,-soname,{soname}", "-o", library, file]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
        return library;
    }
}
