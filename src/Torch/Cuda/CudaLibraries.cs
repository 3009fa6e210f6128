using System.Globalization;
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

    /// <summary>The version that a soname ends in: a driver for CUDA 12 loads nothing that one of 13 has compiled.</summary>
    public static int MajorOf(string soname) => int.Parse(soname.AsSpan(soname.LastIndexOf('.') + 1), CultureInfo.InvariantCulture);

    /// <summary>
    /// Loads what a library opens itself when it is used, by a soname that the system's search does not find in its folder.
    /// </summary>
    /// <param name="name">What the files' names begin with, without ".so".</param>
    public static void LoadParts(string path, string name)
    {
        if (Path.GetDirectoryName(path) is not { Length: > 0 } folder)
            return;
        foreach (var file in Directory.EnumerateFiles(folder, $"{name}*.so*").Order(StringComparer.Ordinal))
            _ = NativeLibrary.TryLoad(file, out _);
    }

    // An installed PyTorch is site-packages/torch/lib, and its packages are site-packages/nvidia/NAME/lib.
    private static IEnumerable<string> Places(string soname, string torchFolder)
    {
        if (torchFolder.Length > 0)
        {
            if (Path.Combine(torchFolder, soname) is var beside && File.Exists(beside))
                yield return beside;
            // As packages of libtorch alone name it: libnvrtc-1a2b3c4d.so.12.
            var dot = soname.IndexOf(".so", StringComparison.Ordinal);
            if (Directory.Exists(torchFolder))
            {
                foreach (var hashed in Directory.EnumerateFiles(torchFolder, $"{soname[..dot]}-*{soname[dot..]}")
                    .Order(StringComparer.Ordinal))
                    yield return hashed;
            }
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
