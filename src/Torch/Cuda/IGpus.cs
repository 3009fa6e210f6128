using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Nccl;
using TorchSharp;

namespace Elastic.Torch.Cuda;

/// <summary>The GPUs that a backend computes on, by their numbers among those that this process sees.</summary>
internal interface IGpus
{
    /// <summary>How many there are.</summary>
    int Count { get; }

    /// <summary>Their driver.</summary>
    /// <exception cref="Foundation.ElasticException">There is none.</exception>
    CudaDriver Driver { get; }

    /// <summary>How they compute a replica together: looks for NCCL.</summary>
    /// <exception cref="Foundation.ElasticException">There is no driver.</exception>
    GpuCollectives Collectives { get; }

    /// <summary>Bytes of a GPU's memory that nobody has, and all. What libtorch keeps for later is somebody's.</summary>
    /// <exception cref="CudaException">The GPU is lost, or has no memory for a context.</exception>
    (long Free, long All) MemoryOf(int gpu);

    /// <summary>Where libtorch's tensors of a GPU lie.</summary>
    torch.Device PlaceOf(int gpu);

    /// <summary>The stream of a logical device; the same one each time.</summary>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    GpuStream StreamOf(int gpu, int part);

    /// <summary>Our kernels on a GPU; null where libtorch's operators compute all.</summary>
    /// <param name="stream">Stream of a logical device; null for the default stream.</param>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    DeviceKernels? KernelsOf(int gpu, GpuStream? stream);

    /// <summary>Attention of one more device on a GPU; null where plain operators compute it.</summary>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    FlashAttention? AttentionOf(int gpu);

    /// <summary>Products by cublasLt on a GPU; null where libtorch computes them.</summary>
    /// <param name="stream">Stream of a logical device; null for the default stream.</param>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    DeviceProducts? ProductsOf(int gpu, GpuStream? stream);

    /// <summary>What the bits of its results depend on besides libtorch and our kernels: its model, and libraries.</summary>
    string IdentityOf(int gpu);

    /// <summary>Begins to give these GPUs' own measurements to whoever collects metrics, in place of those before.</summary>
    void Measure(IReadOnlyList<int> gpus);
}
