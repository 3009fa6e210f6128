using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;
using TorchSharp;

namespace Elastic.Torch;

/// <summary>
/// libtorch's devices: "cuda:0" is a GPU, "cuda:0#1" a logical device of it, "torch:0" a slot on the CPU that computes as the GPUs do.
/// </summary>
public sealed class TorchBackend : IDeviceBackend
{
    // Raised whenever a change to the code gives other bits on a GPU.
    private const int OperatorsVersion = 5;

    // The same for each model.
    private const string Opening = "opening";

    // More streams than this give a GPU nothing: their kernels fill it.
    private const int MostStreams = 16;

    // Null for libtorch's CPU.
    private readonly IGpus? _gpus;
    private readonly GpuRefusals _refusals;

    internal TorchBackend(string kind, IGpus? gpus, GpuRefusals? refusals = null) =>
        (Kind, _gpus, _refusals) = (kind, gpus, refusals ?? new GpuRefusals());

    /// <inheritdoc/>
    public string Kind { get; }

    /// <inheritdoc/>
    public int Count => _gpus?.Count ?? int.MaxValue;

    /// <inheritdoc/>
    public int MostParts => _gpus is null ? 0 : MostStreams;

    /// <summary>Makes both kinds known to this process. Nothing is loaded before one is used.</summary>
    public static void Register()
    {
        DeviceBackends.Register(new TorchBackend("torch", null));
        DeviceBackends.Register(new TorchBackend("cuda", new GpusOfThisMachine()));
    }

    /// <inheritdoc/>
    public string Describe()
    {
        try
        {
            var found = NativeTorch.Describe();
            var text = $"libtorch {found.Version} from {found.Folder} ({found.Origin})";
            return _gpus is null
                ? $"{text}, kernels for {found.CpuCapability}"
                : found.CudaDevices == 0 ? $"{text}, no CUDA" : $"{text}, {found.CudaDevices} GPUs; {CudaDescription.OfThisMachine()}";
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            throw new ElasticException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public string Arithmetic(DeviceId device)
    {
        NativeTorch.Load();
        if (_gpus is null)
            return string.Create(CultureInfo.InvariantCulture, $"torch {NativeTorch.Version} {Maker()} {CpuCapability.Name()}");
        // Everything that the bits of a GPU's results depend on: a run goes on where all of it is the same.
        var gpu = NumberOf(device);
        _ = _gpus.PlaceOf(gpu);
        // A logical device's are loaded for its stream; what they are now they stay. Without our kernels autograd computes all.
        var hasKernels = _gpus.KernelsOf(gpu, StreamOf(device)) is not null;
        var kernels = hasKernels ? $"kernels {KernelSource.Hash}" : "kernels of libtorch";
        var attention = hasKernels && _gpus.AttentionOf(gpu) is not null ? "FlashAttention-2" : "attention of plain operators";
        var products = hasKernels && AskForProducts(gpu, StreamOf(device)) is { } ours
            ? $"products {ReferenceProducts.DigestOf(ours)}" : "products of libtorch";
        return $"cuda {NativeTorch.Version}, {_gpus.IdentityOf(gpu)}, operators {OperatorsVersion}, {kernels}, {attention}, {products}";
    }

    /// <inheritdoc/>
    /// <remarks>Where autograd computes (on libtorch's CPU, and on a GPU without our kernels), blocks are never computed again.</remarks>
    public TrainingDevice Open(DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute)
    {
        if (_gpus is null)
            return new TorchDevice(device, OnCpu(), architecture, labelSmoothing);
        var gpu = NumberOf(device);
        try
        {
            var place = _gpus.PlaceOf(gpu);
            var stream = StreamOf(device);
            var opened = _gpus.KernelsOf(gpu, stream) is { } kernels
                ? new TorchDevice(
                    device, place, architecture, labelSmoothing, kernels, gpu, stream, _gpus.AttentionOf(gpu),
                    _gpus.ProductsOf(gpu, stream), recompute, _refusals)
                : new TorchDevice(device, place, architecture, labelSmoothing, null, gpu, stream, refusals: _refusals);
            _refusals.NoteDone(device, () => Opening);
            return opened;
        }
        catch (Exception e)
        {
            if (TorchDevice.FailureOf(
                device, e, () => Ask(gpu), () => _gpus.MemoryOf(gpu).Free, () => _refusals.IsOneTooMany(device, Opening)) is { } failure)
                throw failure;
            throw;
        }
    }

    /// <inheritdoc/>
    public DeviceVector Allocate(DeviceId device, long length)
    {
        if (_gpus is null)
            return new TorchVector(length, OnCpu());
        var gpu = NumberOf(device);
        return new TorchVector(length, _gpus.PlaceOf(gpu), gpu) { Home = device };
    }

    /// <inheritdoc/>
    public DeviceVector Allocate(DeviceId device, long length, IReadOnlyList<(long First, long Count)> ranges)
    {
        var (gpu, place) = _gpus is null ? (0, OnCpu()) : (NumberOf(device), _gpus.PlaceOf(NumberOf(device)));
        return new PiecedVector(
            length, [.. PiecedVector.WholeTiles(ranges, length).Select(r => new TorchVector(r.First, r.Count, place, gpu))]);
    }

    /// <inheritdoc/>
    public (long Free, long All)? MemoryOf(DeviceId device)
    {
        try
        {
            return _gpus?.MemoryOf(NumberOf(device));
        }
        // Of a GPU that is lost, for instance: whoever works on it says so.
        catch (ElasticException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public ICollective OpenCollective(IReadOnlyList<IDeviceThread> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return _gpus is null || devices.Count == 1
            ? new LocalCollective(devices)
            : _gpus.Collectives.Open(devices, [.. devices.Select(d => NumberOf(d.Id))]);
    }

    /// <inheritdoc/>
    public string CheckProcesses(DeviceId device, ProcessRank rank, Action<string> say, CancellationToken cancel)
    {
        if (_gpus is null)
            throw new ElasticException($"{device}: libtorch's CPU has no NCCL: name a GPU, e.g. cuda:0");
        var (gpu, collectives) = (NumberOf(device), _gpus.Collectives);
        return collectives.Nccl is { } nccl
            ? new NcclProcesses(nccl, _gpus.Driver, gpu, _gpus.PlaceOf(gpu), say).Run(rank, cancel)
            : throw new ElasticException($"{device}: NCCL is of no use here: {collectives.WhyNot}");
    }

    /// <inheritdoc/>
    public IReadOnlyList<ProductTime> TimeProducts(DeviceId device, int rows)
    {
        if (_gpus is null)
            throw new ElasticException($"{device}: libtorch's CPU has no cublasLt: name a GPU, e.g. cuda:0");
        if (device.Parts is { Part: not null })
            throw new ElasticException($"{device}: products are measured on a whole GPU: use cuda:{NumberOf(device)}");
        var gpu = NumberOf(device);
        var place = _gpus.PlaceOf(gpu);
        return AskForProducts(gpu, null) is { } products
            ? DeviceBackends.Ask(() => new ProductTimes(products, place).OfGpt2(rows, 768, 50257, 20))
            : throw new ElasticException($"{device}: cublasLt is of no use here: {GpuProducts.Describe(gpu)}");
    }

    /// <inheritdoc/>
    public StepTimes TimeStep(DeviceId device, int rows) => TimeStep(
        device, ModelSettings.Defaults with { Layers = 12, Heads = 12, Width = 768, Context = 1024, Vocabulary = 50257, Dropout = 0 }, rows,
        microBatches: 4);

    /// <summary>Measures a training step of any GPT-2, and of so many micro-batches.</summary>
    internal StepTimes TimeStep(DeviceId device, ModelSettings model, int rows, int microBatches)
    {
        if (_gpus is null)
            throw new ElasticException($"{device}: libtorch's CPU has no kernels to measure: name a GPU, e.g. cuda:0");
        if (device.Parts is { Part: not null })
            throw new ElasticException($"{device}: kernels are measured on a whole GPU: use cuda:{NumberOf(device)}");
        return DeviceBackends.Ask(() =>
        {
            using var open = Open(device, Architectures.Open(model), 0, 1, RecomputeMode.None);
            using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => Allocate(device, length));
            return new StepProfile(open, _gpus.Driver, NumberOf(device)).Run(model, vectors, Precision.Bf16, rows, microBatches);
        });
    }

    /// <inheritdoc/>
    public void Measure(IReadOnlyList<DeviceId> devices) => _gpus?.Measure([.. devices.Select(NumberOf).Distinct()]);

    // Outside of work, which would be tried again.
    private DeviceProducts? AskForProducts(int gpu, GpuStream? stream) => DeviceBackends.Ask(() => _gpus!.ProductsOf(gpu, stream));

    // Every call to a GPU that is lost fails.
    private void Ask(int gpu)
    {
        var driver = _gpus!.Driver;
        driver.Enter(driver.ContextOf(gpu));
        driver.Synchronize("what was begun before a failure", 0);
    }

    private static int NumberOf(DeviceId device) => device.Parts!.Value.Number;

    private GpuStream? StreamOf(DeviceId device) =>
        device.Parts is { Number: var gpu, Part: { } part } ? _gpus!.StreamOf(gpu, part) : null;

    private static torch.Device OnCpu()
    {
        NativeTorch.Load();
        return torch.CPU;
    }

    // The math library chooses its kernels by the processor's maker, too.
    private static string Maker()
    {
        if (!X86Base.IsSupported)
            return RuntimeInformation.ProcessArchitecture.ToString();
        var (_, b, c, d) = X86Base.CpuId(0, 0);
        Span<int> words = [b, d, c];
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(words));
    }
}
