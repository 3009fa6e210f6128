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

    /// <summary>The kernels of a GPU; null where libtorch's operators compute.</summary>
    /// <param name="stream">Stream of the GPU; 0 for the default stream.</param>
    /// <exception cref="CudaException">The GPU is lost, or cannot be had now.</exception>
    public static DeviceKernels? Of(int index, nint stream = 0) => Find(index, stream).Kernels;

    /// <summary>Why libtorch's operators compute; null where our kernels do.</summary>
    public static string? WhyNot(int index) => Find(index, 0).Why;

    /// <summary>The compiler of kernels that this machine has.</summary>
    /// <exception cref="ElasticException">It has none.</exception>
    public static KernelCompiler Compiler()
    {
        var newest = CudaDriver.OfThisMachine.Version / 1000;
        string[] usable = [.. CudaLibraries.Nvrtc.Where(soname => CudaLibraries.MajorOf(soname) <= newest)];
        if (CudaLibraries.Find(usable, NativeTorch.Folder) is not var (path, handle))
            throw new ElasticException(
                $"no NVRTC that the driver (for CUDA {newest}) takes is beside libtorch, in its packages or on this system: " +
                $"install one of {string.Join(", ", usable)}");
        CudaLibraries.LoadParts(path, "libnvrtc-builtins");
        return new KernelCompiler(path, handle, KernelCompiler.DefaultCache);
    }

    private static (DeviceKernels? Kernels, string? Why) Find(int index, nint stream) => All.GetOrAdd((index, stream), key => new(() =>
    {
        try
        {
            return (new DeviceKernels(CudaDriver.OfThisMachine, Compiler(), key.Gpu, key.Stream), null);
        }
        catch (ElasticException e) when (e is not CudaException { IsLost: true } and not CudaException { IsPassing: true })
        {
            return (null, e.Message);
        }
    }, LazyThreadSafetyMode.PublicationOnly)).Value;
}
