using System.Collections.Concurrent;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Cuda.Nvml;
using Elastic.Torch.Native;
using TorchSharp;

namespace Elastic.Torch.Cuda;

/// <summary>The GPUs that libtorch sees; CUDA_VISIBLE_DEVICES hides others.</summary>
internal sealed class GpusOfThisMachine : IGpus
{
    private static readonly ConcurrentDictionary<(int Gpu, int Part), Lazy<GpuStream>> Streams = new();

    /// <inheritdoc/>
    public int Count
    {
        get
        {
            NativeTorch.Load();
            return torch.cuda_is_available() ? torch.cuda.device_count() : 0;
        }
    }

    /// <inheritdoc/>
    public CudaDriver Driver => CudaDriver.OfThisMachine;

    /// <inheritdoc/>
    public GpuCollectives Collectives => GpuCollectives.OfThisMachine;

    /// <inheritdoc/>
    public (long Free, long All) MemoryOf(int gpu) => Driver.MemoryOf(gpu);

    /// <inheritdoc/>
    public torch.Device PlaceOf(int gpu)
    {
        NativeTorch.Load();
        torch.InitializeDeviceType(DeviceType.CUDA);
        Determinism.Demand();
        return new torch.Device(DeviceType.CUDA, gpu);
    }

    /// <inheritdoc/>
    public GpuStream StreamOf(int gpu, int part) => Streams.GetOrAdd(
        // Memory that is short now is no choice for good: what fails is tried again.
        (gpu, part),
        _ => new(() => new GpuStream(Driver, TorchStreams.Load(), gpu), LazyThreadSafetyMode.PublicationOnly)).Value;

    /// <inheritdoc/>
    public DeviceKernels? KernelsOf(int gpu, GpuStream? stream) => GpuKernels.Of(gpu, stream?.Handle ?? 0);

    /// <inheritdoc/>
    public FlashAttention? AttentionOf(int gpu) => GpuAttention.Of(gpu);

    /// <inheritdoc/>
    public DeviceProducts? ProductsOf(int gpu, GpuStream? stream) => GpuProducts.Of(gpu, stream?.Handle ?? 0);

    /// <inheritdoc/>
    public string IdentityOf(int gpu) => CudaIdentity.Of(gpu).Text;

    /// <inheritdoc/>
    public void Measure(IReadOnlyList<int> gpus) => _ = GpuMeters.OfThisMachine.Measure(gpus);
}
