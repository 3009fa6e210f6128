using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Our kernels on the GPUs of this machine, made once for each. Where they cannot be had (no NVRTC, for instance), libtorch's operators
/// compute everything, and give other bits: which of the two it is belongs to the arithmetic that a run keeps.
/// </summary>
internal static class GpuKernels
{
    private static readonly ConcurrentDictionary<int, Lazy<(DeviceKernels? Kernels, string? Why)>> All = new();

    /// <summary>Those of a GPU; null where libtorch's operators compute.</summary>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    public static DeviceKernels? Of(int index) => Find(index).Kernels;

    /// <summary>Whose kernels compute, for the arithmetic's text.</summary>
    public static string Identity(int index) => Of(index) is null ? "kernels of libtorch" : $"kernels {KernelSource.Hash}";

    /// <summary>Why libtorch's operators compute; null where our kernels do.</summary>
    public static string? WhyNot(int index) => Find(index).Why;

    /// <summary>The compiler of kernels that this machine has.</summary>
    /// <exception cref="ElasticException">It has none.</exception>
    public static KernelCompiler Compiler() => CudaLibraries.Find(CudaLibraries.Nvrtc, NativeTorch.Folder) is var (path, handle)
        ? new KernelCompiler(path, handle, KernelCompiler.DefaultCache)
        : throw new ElasticException(
            $"none of {string.Join(", ", CudaLibraries.Nvrtc)} is beside libtorch, in its packages or on this system: install NVRTC");

    private static (DeviceKernels? Kernels, string? Why) Find(int index) => All.GetOrAdd(index, i => new(() =>
    {
        try
        {
            return (new DeviceKernels(CudaDriver.Load(), Compiler(), i), null);
        }
        catch (ElasticException e) when (e is not CudaException { IsLost: true })
        {
            return (null, e.Message);
        }
    })).Value;
}
