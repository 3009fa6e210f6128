using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Model.Training;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>
/// Products on the GPUs of this machine, made once for each and for each stream. Where cublasLt is of no use (a function is missing, for
/// instance), libtorch computes them, by algorithms of its own choice: which of the two it is belongs to the arithmetic that a run keeps.
/// </summary>
internal static class GpuProducts
{
    private static readonly ConcurrentDictionary<(int Gpu, nint Stream), Lazy<(DeviceProducts? Products, string? Why)>> All = new();
    private static readonly ConcurrentDictionary<CudaIdentity, ProductChoices> Choices = new();

    /// <summary>The products of a GPU, on which libtorch has been started; null where libtorch computes them.</summary>
    /// <param name="stream">Stream of the GPU; 0 for the default stream.</param>
    /// <exception cref="CudaException">The GPU is lost, or has no memory.</exception>
    /// <exception cref="CublasLtException">The library refuses to begin.</exception>
    /// <exception cref="OutOfMemoryException">Memory is short now.</exception>
    /// <exception cref="InvalidOperationException">It cannot begin now: it failed in it.</exception>
    public static DeviceProducts? Of(int gpu, nint stream = 0) => Find(gpu, stream).Products;

    /// <summary>E.g. "products by cublasLt 120803 on GPU 0, …", or why libtorch computes them.</summary>
    public static string Describe(int gpu)
    {
        var (products, why) = DeviceBackends.Ask(() => Find(gpu, 0));
        return products is null ? $"libtorch's products on GPU {gpu}: {why}" : ReferenceProducts.Describe(products);
    }

    private static (DeviceProducts? Products, string? Why) Find(int gpu, nint stream) => All.GetOrAdd((gpu, stream), key => new(() =>
    {
        try
        {
            var choices = Choices.GetOrAdd(CudaIdentity.Of(key.Gpu), _ => new ProductChoices());
            var place = new Device(TorchSharp.DeviceType.CUDA, key.Gpu);
            return (new DeviceProducts(CudaDriver.OfThisMachine, CublasLtLibrary.Loaded(), choices, key.Gpu, place, key.Stream), null);
        }
        // What a driver or the library answers now, such as that memory is short, is no choice for good.
        catch (ElasticException e) when (e is not CudaException and not CublasLtException)
        {
            return (null, e.Message);
        }
    }, LazyThreadSafetyMode.PublicationOnly)).Value;
}
