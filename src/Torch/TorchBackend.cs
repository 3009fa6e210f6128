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
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Native;
using TorchSharp;

namespace Elastic.Torch;

/// <summary>libtorch's devices: "cuda:0" is a GPU, "torch:0" a slot on the CPU that computes as the GPUs do.</summary>
public sealed class TorchBackend : IDeviceBackend
{
    // Raised whenever a change to the code gives other bits on a GPU.
    private const int OperatorsVersion = 2;

    private readonly DeviceType _type;

    private TorchBackend(string kind, DeviceType type) => (Kind, _type) = (kind, type);

    /// <inheritdoc/>
    public string Kind { get; }

    /// <inheritdoc/>
    public int Count => _type == DeviceType.CPU ? int.MaxValue : CountGpus();

    /// <summary>Makes both kinds known to this process. Nothing is loaded before one is used.</summary>
    public static void Register()
    {
        DeviceBackends.Register(new TorchBackend("torch", DeviceType.CPU));
        DeviceBackends.Register(new TorchBackend("cuda", DeviceType.CUDA));
    }

    /// <inheritdoc/>
    public string Describe()
    {
        try
        {
            var found = NativeTorch.Describe();
            var text = $"libtorch {found.Version} from {found.Folder} ({found.Origin})";
            return _type == DeviceType.CPU
                ? $"{text}, kernels for {found.CpuCapability}"
                : found.CudaDevices == 0 ? $"{text}, no CUDA" : $"{text}, {found.CudaDevices} GPUs; {CudaDescription.OfThisMachine()}";
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            throw new ElasticException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public string Arithmetic(DeviceId device) => _type == DeviceType.CPU
        ? string.Create(CultureInfo.InvariantCulture, $"torch {torch.__version__} {Maker()} {CpuCapability.Name()}")
        : OfGpu(device);

    // Everything that the bits of a GPU's results depend on: a run goes on where all of it is the same.
    private string OfGpu(DeviceId device)
    {
        var index = Find(device).index;
        return $"cuda {torch.__version__}, {CudaIdentity.Of(index).Text}, operators {OperatorsVersion}, {GpuKernels.Identity(index)}";
    }

    /// <inheritdoc/>
    /// <remarks>Autograd keeps what it needs: blocks are never computed again.</remarks>
    public TrainingDevice Open(DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute)
    {
        var found = Find(device);
        if (_type == DeviceType.CPU)
            return new TorchDevice(device, found, architecture, labelSmoothing);
        try
        {
            return new TorchDevice(device, found, architecture, labelSmoothing, GpuKernels.Of(found.index), found.index);
        }
        catch (CudaException e) when (e.IsLost)
        {
            throw new DeviceFailedException(device, isLost: true, $"{device} is lost to this process: {e.Message}");
        }
    }

    /// <inheritdoc/>
    public DeviceVector Allocate(DeviceId device, long length)
    {
        var found = Find(device);
        return new TorchVector(length, found, _type == DeviceType.CUDA ? found.index : 0);
    }

    /// <inheritdoc/>
    public ICollective OpenCollective(IReadOnlyList<IDeviceThread> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return _type == DeviceType.CPU || devices.Count == 1
            ? new LocalCollective(devices)
            : GpuCollectives.OfThisMachine.Open(devices, [.. devices.Select(d => Find(d.Id).index)]);
    }

    private static int CountGpus()
    {
        NativeTorch.Load();
        return torch.cuda_is_available() ? torch.cuda.device_count() : 0;
    }

    private torch.Device Find(DeviceId device)
    {
        NativeTorch.Load();
        if (_type == DeviceType.CPU)
            return torch.CPU;
        torch.InitializeDeviceType(DeviceType.CUDA);
        return new torch.Device(DeviceType.CUDA, int.Parse(device.Value.Split(':')[1], CultureInfo.InvariantCulture));
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
