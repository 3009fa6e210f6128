using System.Runtime.InteropServices;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Finds libraries of the CUDA toolkit by their sonames: what libtorch has loaded; what lies beside it; what an installed PyTorch brings as
/// packages (nvidia/*/lib); what the system has. Newer versions first.
/// </summary>
internal static class CudaLibraries
{
    /// <summary>Sonames of the compiler of kernels.</summary>
    public static IReadOnlyList<string> Nvrtc { get; } = ["libnvrtc.so.13", "libnvrtc.so.12"];

    /// <summary>Sonames of the library of collectives.</summary>
    public static IReadOnlyList<string> Nccl { get; } = ["libnccl.so.2"];

    /// <summary>Sonames of the library of products.</summary>
    public static IReadOnlyList<string> CublasLt { get; } = ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"];

    /// <summary>The first that is found, and its handle; null where there is none.</summary>
    /// <param name="torchFolder">Where libtorch was loaded from.</param>
    public static (string Path, nint Handle)? Find(IReadOnlyList<string> sonames, string torchFolder)
    {
        foreach (var soname in sonames)
        {
            if (NativeTorch.FindLoaded(soname) is var loaded && loaded != 0)
                return (soname, loaded);
            foreach (var path in Places(soname, torchFolder))
            {
                if (NativeLibrary.TryLoad(path, out var handle))
                    return (path, handle);
            }
        }
        return null;
    }

    // An installed PyTorch is site-packages/torch/lib, and its packages are site-packages/nvidia/NAME/lib.
    private static IEnumerable<string> Places(string soname, string torchFolder)
    {
        if (torchFolder.Length > 0)
        {
            if (Path.Combine(torchFolder, soname) is var beside && File.Exists(beside))
                yield return beside;
            var packages = Path.GetFullPath(Path.Combine(torchFolder, "..", "..", "nvidia"));
            if (Directory.Exists(packages))
            {
                foreach (var path in Directory.EnumerateDirectories(packages).Order(StringComparer.Ordinal)
                    .Select(folder => Path.Combine(folder, "lib", soname)).Where(File.Exists))
                    yield return path;
            }
        }
        yield return soname;
    }
}
