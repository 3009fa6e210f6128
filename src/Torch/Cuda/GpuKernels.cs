using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Our kernels on the GPUs of this machine, made once for each and for each stream. Where they cannot be had (no NVRTC, for instance),
/// libtorch's operators compute what they would, and give other bits: which of the two it is belongs to the arithmetic that a run keeps.
/// </summary>
internal static class GpuKernels
{
    private static readonly ConcurrentDictionary<(int Gpu, nint Stream), Lazy<(DeviceKernels? Kernels, string? Why)>> All = new();

    /// <summary>Those of a GPU; null where libtorch's operators compute.</summary>
    /// <param name="stream">Of the GPU's; 0 for the default stream.</param>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    public static DeviceKernels? Of(int index, nint stream = 0) => Find(index, stream).Kernels;

    /// <summary>Why libtorch's operators compute; null where our kernels do.</summary>
    public static string? WhyNot(int index) => Find(index, 0).Why;

    /// <summary>The compiler of kernels that this machine has.</summary>
    /// <exception cref="ElasticException">It has none.</exception>
    public static KernelCompiler Compiler() => CudaLibraries.Find(CudaLibraries.Nvrtc, NativeTorch.Folder) is var (path, handle)
        ? new KernelCompiler(path, handle, KernelCompiler.DefaultCache)
        : throw new ElasticException(
            $"none of {string.Join(", ", CudaLibraries.Nvrtc)} is beside libtorch, in its packages or on this system: install NVRTC");

    private static (DeviceKernels? Kernels, string? Why) Find(int index, nint stream) => All.GetOrAdd((index, stream), key => new(() =>
    {
        try
        {
            return (new DeviceKernels(CudaDriver.Load(), Compiler(), key.Gpu, key.Stream), null);
        }
        // Memory that is short now is no choice for good.
        catch (ElasticException e) when (e is not CudaException { IsLost: true } and not CudaException { Code: CudaException.OutOfMemory })
        {
            return (null, e.Message);
        }
    }, LazyThreadSafetyMode.PublicationOnly)).Value;
}
