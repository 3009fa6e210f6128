using System.Collections.Concurrent;
using Elastic.Model.Training;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// The fake driver's GPUs as devices of the kind "cuda" in this process: our kernels run as <see cref="FakeGpu"/> runs them, and libtorch's
/// operators on its CPU. Everything else is the product's.
/// </summary>
/// <param name="flash">Null where plain operators compute attention.</param>
/// <param name="products">Null where libtorch computes them.</param>
internal sealed class FakeGpus(int count, FlashAttention? flash, FakeCublasLt? products) : IGpus, IDisposable
{
    private readonly ConcurrentDictionary<(int, int), GpuStream> _streams = new();
    private readonly ConcurrentDictionary<(int, nint), DeviceProducts?> _products = new();
    private readonly Lazy<GpuCollectives> _collectives = new(() => new GpuCollectives(FakeGpu.Shared.Driver, null, "a test"));

    public int Count => count;

    public CudaDriver Driver => FakeGpu.Shared.Driver;

    public GpuCollectives Collectives => _collectives.Value;

    /// <summary>True once somebody has asked how they compute together, for which a machine looks for NCCL.</summary>
    public bool HasCollectives => _collectives.IsValueCreated;

    /// <summary>What was to be measured last.</summary>
    public IReadOnlyList<int> Measured { get; private set; } = [];

    /// <summary>Makes them known to this process, in place of the machine's.</summary>
    public static FakeGpus Register(int count, FlashAttention? flash = null, FakeCublasLt? products = null)
    {
        NativeTorch.Load();
        var gpus = new FakeGpus(count, flash, products);
        DeviceBackends.Register(new TorchBackend("cuda", gpus));
        return gpus;
    }

    /// <summary>They are whole again, and no longer known.</summary>
    public void Dispose()
    {
        TorchBackend.Register();
        for (var i = 0; i < count; i++)
            FakeGpu.Shared.Lose(i, -1);
    }

    public (long Free, long All) MemoryOf(int gpu) => Driver.MemoryOf(gpu);

    public TorchSharp.torch.Device PlaceOf(int gpu) => TorchSharp.torch.CPU;

    public GpuStream StreamOf(int gpu, int part) => _streams.GetOrAdd((gpu, part), _ => FakeGpu.Shared.NewStream(gpu));

    public DeviceKernels KernelsOf(int gpu, GpuStream? stream) => FakeGpu.Shared.Kernels(gpu, stream);

    public FlashAttention? AttentionOf(int gpu) => flash;

    public DeviceProducts? ProductsOf(int gpu, GpuStream? stream) =>
        _products.GetOrAdd((gpu, stream?.Handle ?? 0), _ => products?.On(gpu, stream));

    public string IdentityOf(int gpu) => "a fake GPU";

    public void Measure(IReadOnlyList<int> gpus) => Measured = gpus;
}
