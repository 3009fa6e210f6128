using System.Runtime.InteropServices;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Torch.Cuda.Nvml;

/// <summary>
/// The part of NVIDIA's management library (nvml.h) that Elastic calls. It sees all GPUs of the machine, whatever CUDA_VISIBLE_DEVICES
/// says, so each is found by where it is plugged in. What a GPU or a version does not measure is null.
/// </summary>
internal sealed unsafe class NvmlLibrary
{
    /// <summary>The soname of the library, which comes with the driver.</summary>
    public const string Library = "libnvidia-ml.so.1";

    // nvmlReturn_t: somebody else in this process has started it.
    private const int AlreadyInitialized = 5;

    private static readonly string[] Names =
    [
        "nvmlInit_v2", "nvmlErrorString", "nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetUUID", "nvmlDeviceGetName",
        "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetTotalEccErrors",
    ];

    private readonly NativeFunctions _functions;

    /// <param name="handle">Handle of the loaded library.</param>
    /// <exception cref="ElasticException">It does not start.</exception>
    public NvmlLibrary(nint handle)
    {
        _functions = new NativeFunctions(Library, handle, Names);
        var result = ((delegate* unmanaged<int>)_functions["nvmlInit_v2"])();
        if (result is not (0 or AlreadyInitialized))
            throw new ElasticException($"{Library} does not start: error {result}{TextOf(result)}");
    }

    /// <summary>The one of this machine; null where there is none.</summary>
    /// <exception cref="ElasticException">It does not start.</exception>
    public static NvmlLibrary? Find() => NativeLibrary.TryLoad(Library, out var handle) ? new NvmlLibrary(handle) : null;

    /// <summary>Functions that it lacks.</summary>
    public IReadOnlyList<string> Missing => _functions.Missing;

    /// <summary>A GPU's handle; null where the library does not know one there.</summary>
    /// <param name="bus">As the driver writes it, e.g. "0000:3B:00.0".</param>
    public nint? Find(string bus)
    {
        nint device;
        fixed (byte* text = Encoding.ASCII.GetBytes(bus + '\0'))
        {
            return _functions.Has("nvmlDeviceGetHandleByPciBusId_v2")
                && ((delegate* unmanaged<byte*, nint*, int>)_functions["nvmlDeviceGetHandleByPciBusId_v2"])(text, &device) == 0
                    ? device
                    : null;
        }
    }

    /// <summary>E.g. "GPU-1a2b3c4d-…": the same after any restart.</summary>
    public string? UuidOf(nint device) => TextOf("nvmlDeviceGetUUID", device);

    /// <summary>E.g. "NVIDIA H100 80GB HBM3".</summary>
    public string? NameOf(nint device) => TextOf("nvmlDeviceGetName", device);

    /// <summary>The whole memory and what of it all processes use, bytes.</summary>
    public (long Total, long Used)? MemoryOf(nint device)
    {
        Memory memory;
        return _functions.Has("nvmlDeviceGetMemoryInfo")
            && ((delegate* unmanaged<nint, Memory*, int>)_functions["nvmlDeviceGetMemoryInfo"])(device, &memory) == 0
                ? ((long)memory.Total, (long)memory.Used)
                : null;
    }

    /// <summary>The share of the last moments in which a kernel ran, 0 to 1.</summary>
    public double? UtilizationOf(nint device)
    {
        Utilization rates;
        return _functions.Has("nvmlDeviceGetUtilizationRates")
            && ((delegate* unmanaged<nint, Utilization*, int>)_functions["nvmlDeviceGetUtilizationRates"])(device, &rates) == 0
                ? rates.Gpu / 100.0
                : null;
    }

    /// <summary>The temperature of the chip, degrees Celsius.</summary>
    public double? TemperatureOf(nint device)
    {
        const int ofTheChip = 0;
        uint celsius;
        return _functions.Has("nvmlDeviceGetTemperature")
            && ((delegate* unmanaged<nint, int, uint*, int>)_functions["nvmlDeviceGetTemperature"])(device, ofTheChip, &celsius) == 0
                ? celsius
                : null;
    }

    /// <summary>What the GPU draws now, watts.</summary>
    public double? PowerOf(nint device)
    {
        uint milliwatts;
        return _functions.Has("nvmlDeviceGetPowerUsage")
            && ((delegate* unmanaged<nint, uint*, int>)_functions["nvmlDeviceGetPowerUsage"])(device, &milliwatts) == 0
                ? milliwatts / 1000.0
                : null;
    }

    /// <summary>What the GPU has used since the driver was loaded, joules.</summary>
    public double? EnergyOf(nint device)
    {
        ulong millijoules;
        return _functions.Has("nvmlDeviceGetTotalEnergyConsumption")
            && ((delegate* unmanaged<nint, ulong*, int>)_functions["nvmlDeviceGetTotalEnergyConsumption"])(device, &millijoules) == 0
                ? millijoules / 1000.0
                : null;
    }

    /// <summary>Errors of its memory since the driver was loaded, those that it has corrected itself, or the others.</summary>
    public long? EccErrorsOf(nint device, bool isCorrected)
    {
        const int sinceLoaded = 0;
        ulong count;
        return _functions.Has("nvmlDeviceGetTotalEccErrors")
            && ((delegate* unmanaged<nint, int, int, ulong*, int>)_functions["nvmlDeviceGetTotalEccErrors"])(
                device, isCorrected ? 0 : 1, sinceLoaded, &count) == 0
                ? (long)count
                : null;
    }

    private string? TextOf(string function, nint device)
    {
        const int most = 96;
        var text = stackalloc byte[most];
        return _functions.Has(function)
            && ((delegate* unmanaged<nint, byte*, uint, int>)_functions[function])(device, text, most) == 0
                ? Marshal.PtrToStringUTF8((nint)text)
                : null;
    }

    private string TextOf(int result) => _functions.Has("nvmlErrorString")
        && Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<int, byte*>)_functions["nvmlErrorString"])(result)) is { } text
            ? $" ({text})"
            : "";

    // nvmlMemory_t, bytes.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Memory
    {
        public readonly ulong Total, Free, Used;
    }

    // nvmlUtilization_t, percent.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Utilization
    {
        public readonly uint Gpu, OfMemoryBus;
    }
}
