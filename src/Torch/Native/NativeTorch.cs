using System.Globalization;
using System.Reflection;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using TorchSharp;

namespace Elastic.Torch.Native;

/// <summary>The loaded libtorch, its folder and its abilities, for <c>elastic doctor</c>.</summary>
/// <param name="Folder">The folder that libtorch came from.</param>
/// <param name="Origin">"package" or "ELASTIC_LIBTORCH".</param>
/// <param name="Version">Version of libtorch, e.g. "2.10.0".</param>
/// <param name="CpuCapability">The instruction set that libtorch's own kernels use, e.g. "AVX512".</param>
/// <param name="Cores">Logical processors of this machine.</param>
/// <param name="CudaDevices">Devices that CUDA offers; 0 without CUDA.</param>
public sealed record NativeTorchDescription(
    string Folder, string Origin, string Version, string CpuCapability, int Cores, int CudaDevices);

/// <summary>
/// Loads libtorch once, before any use of TorchSharp: the copy of the package, or the one that the environment variable
/// ELASTIC_LIBTORCH names (the lib folder of an unpacked libtorch, or of an installed PyTorch). Two copies in one process abort it.
/// TorchSharp's own search finds no second copy: every library that it looks for is already loaded, and the loader matches
/// libraries by soname.
/// </summary>
public static unsafe partial class NativeTorch
{
    /// <summary>Names the folder of the libtorch to use.</summary>
    public const string FolderVariable = "ELASTIC_LIBTORCH";

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, nint> Loaded = [];
    private static string _folder = "", _origin = "package";
    private static volatile bool _done;
    private static ExceptionDispatchInfo? _failure;

    /// <summary>Loads libtorch and TorchSharp's shim. Idempotent and safe from any thread.</summary>
    /// <exception cref="ElasticException">A library is missing, does not load, or is of another version than the shim was built
    /// for.</exception>
    public static void Load()
    {
        if (_done)
            return;
        lock (Gate)
        {
            if (_done)
                return;
            // A loaded library cannot be unloaded: a second attempt could only fail in another way, and hide the first cause.
            _failure?.Throw();
            try
            {
                LoadOnce();
                _done = true;
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
                throw;
            }
        }
    }

    private static void LoadOnce()
    {
        var shim = FindShim();
        var named = Environment.GetEnvironmentVariable(FolderVariable);
        _origin = string.IsNullOrEmpty(named) ? "package" : FolderVariable;
        _folder = string.IsNullOrEmpty(named) ? Path.GetDirectoryName(shim)! : Path.GetFullPath(named);
        if (OperatingSystem.IsLinux())
            LoadLinux(shim);
        NativeLibrary.SetDllImportResolver(typeof(NativeTorch).Assembly, Resolve);
        torch.InitializeDeviceType(DeviceType.CPU);
    }

    /// <summary>Describes what <see cref="Load"/> found; loads first where necessary.</summary>
    public static NativeTorchDescription Describe()
    {
        Load();
        return new NativeTorchDescription(
            _folder, _origin, Version, CpuCapability.Name(), Environment.ProcessorCount,
            torch.cuda_is_available() ? torch.cuda.device_count() : 0);
    }

    private static void LoadLinux(string shim)
    {
        // In the order of their dependence; global, because operators register themselves with symbols of the libraries before.
        string[] names = ["libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so", "libtorch.so"];
        if (!File.Exists(Path.Combine(_folder, "libtorch_cpu.so")))
            throw new ElasticException(_origin == "package"
                ? $"libtorch_cpu.so is not in {_folder}: build without {FolderVariable} set, " +
                  $"or set it to the lib folder of a libtorch {ShimVersion}"
                : $"{FolderVariable} = {_folder}: there is no libtorch_cpu.so in it; name the lib folder of a libtorch {ShimVersion}");
        foreach (var name in names)
        {
            var path = Path.Combine(_folder, name);
            if (File.Exists(path))
                Loaded[name] = Open(path, true);
        }

        // Checked before the shim is loaded: a missing symbol would otherwise end the process at its first call.
        var missing = ElfSymbols.Undefined(shim)
            .Where(s => ElfSymbols.IsTorch(s) && !Loaded.Values.Any(h => dlsym(h, s) != 0)).ToList();
        if (missing.Count > 0)
            throw new ElasticException(
                $"the libtorch in {_folder} is not the version {ShimVersion} that this build of TorchSharp needs: " +
                $"it lacks {missing.Count} symbols, " +
                $"among them {string.Join(", ", missing.Take(4))}; point {FolderVariable} to a libtorch {ShimVersion}");
        Loaded[Path.GetFileName(shim)] = Open(shim, false);
    }

    /// <summary>The version of libtorch that TorchSharp's shim is compiled against.</summary>
    public const string ShimVersion = "2.10";

    /// <summary>
    /// The version of the libtorch that <see cref="Load"/> found, e.g. "2.10.1": it may be newer than <see cref="ShimVersion"/>.
    /// </summary>
    // One byte each for major, minor and patch, from the top (torch/headeronly/version.h). TorchSharp's own text is that of its build.
    internal static string Version =>
        Loaded.TryGetValue("libtorch_cpu.so", out var library) && NativeLibrary.TryGetExport(library, "aoti_torch_abi_version", out var ask)
            && ((delegate* unmanaged<ulong>)ask)() is var v
                ? string.Create(CultureInfo.InvariantCulture, $"{v >> 56}.{(v >> 48) & 255}.{(v >> 40) & 255}")
                : torch.__version__;

    private static string FindShim()
    {
        var name = OperatingSystem.IsWindows() ? "LibTorchSharp.dll"
            : OperatingSystem.IsMacOS() ? "libLibTorchSharp.dylib"
            : "libLibTorchSharp.so";
        var rid = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        var machine = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        string[] candidates =
        [
            Path.Combine(AppContext.BaseDirectory, name),
            Path.Combine(AppContext.BaseDirectory, "runtimes", $"{rid}-{machine}", "native", name),
        ];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new ElasticException($"{name} is not beside the program ({string.Join(", ", candidates)}): build or publish again");
    }

    private static nint Open(string path, bool global)
    {
        const int lazy = 1, everyone = 0x100;
        var handle = dlopen(path, lazy | (global ? everyone : 0));
        if (handle != 0)
            return handle;
        throw new ElasticException($"{path} does not load: {Marshal.PtrToStringUTF8(dlerror())}");
    }

    /// <summary>The folder that libtorch came from; empty before <see cref="Load"/>.</summary>
    internal static string Folder => _folder;

    /// <summary>A library of that soname which this process has loaded; 0 where it has not.</summary>
    internal static nint FindLoaded(string soname)
    {
        const int lazy = 1, noLoad = 4;
        return dlopen(soname, lazy | noLoad);
    }

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? search)
        => Loaded.TryGetValue($"lib{library}.so", out var handle) ? handle : 0;

    [LibraryImport("libdl.so.2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint dlopen(string path, int flags);

    [LibraryImport("libdl.so.2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint dlsym(nint handle, string symbol);

    [LibraryImport("libdl.so.2")]
    private static partial nint dlerror();
}
