using System.Diagnostics.Metrics;
using Elastic.Foundation;

namespace Elastic.Torch.Cuda.Nvml;

/// <summary>
/// What a node's GPUs measure of themselves, under the names of OpenTelemetry's semantic conventions ("Semantic conventions for hardware
/// metrics"). Read from NVML whenever somebody collects. A machine without NVML, a GPU that is lost, and a number that a GPU does not
/// measure are no errors: they give no value.
/// </summary>
/// <param name="meter">Whose instruments they are.</param>
/// <param name="load">The library; null where there is none.</param>
/// <param name="busOf">Where a GPU is plugged in, by its number among those that this process sees.</param>
internal sealed class GpuMeters(Meter meter, Func<NvmlLibrary?> load, Func<int, string> busOf)
{
    private readonly Lock _gate = new();
    private Task _measuring = Task.CompletedTask;
    private NvmlLibrary? _nvml;
    private bool _hasBegun;

    // Replaced as a whole: whoever collects reads it without a lock.
    private volatile IReadOnlyList<Gpu> _gpus = [];

    /// <summary>The meters of this process.</summary>
    public static GpuMeters OfThisMachine { get; } = new(Telemetry.Meter, Find, index => CudaDriver.OfThisMachine.BusOf(index));

    /// <summary>
    /// Measures these GPUs from a moment later on. Nothing is loaded before there is one. The caller, an actor, does not wait for a driver
    /// that may take long over a GPU that is lost.
    /// </summary>
    /// <returns>Ends when they are measured; of several calls one after the other.</returns>
    public Task Measure(IReadOnlyList<int> gpus)
    {
        lock (_gate)
            return _measuring = _measuring.ContinueWith(
                _ => Take(gpus), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void Take(IReadOnlyList<int> gpus)
    {
        if (gpus.Count > 0 && !_hasBegun)
            Begin();
        _gpus = _nvml is { } nvml ? [.. gpus.Select(gpu => Open(nvml, gpu)).OfType<Gpu>()] : [];
    }

    private static NvmlLibrary? Find()
    {
        try
        {
            return NvmlLibrary.Find();
        }
        catch (ElasticException)
        {
            // "elastic doctor" says why.
            return null;
        }
    }

    private void Begin()
    {
        _hasBegun = true;
        if ((_nvml = load()) is not { } nvml)
            return;
        meter.CreateObservableGauge(
            "hw.gpu.utilization", () => Read(nvml.UtilizationOf, "hw.gpu.task", "general"), "1", "Fraction of time spent in kernels.");
        meter.CreateObservableUpDownCounter(
            "hw.gpu.memory.usage", () => Read(gpu => nvml.MemoryOf(gpu)?.Used), "By", "GPU memory used.");
        meter.CreateObservableUpDownCounter(
            "hw.gpu.memory.limit", () => Read(gpu => nvml.MemoryOf(gpu)?.Total), "By", "Size of the GPU memory.");
        meter.CreateObservableGauge(
            "hw.gpu.memory.utilization",
            () => Read<double>(gpu => nvml.MemoryOf(gpu) is var (total, used) && total > 0 ? (double)used / total : null), "1",
            "Fraction of GPU memory used.");
        // Instruments of all hardware, which say by an attribute whose numbers these are.
        meter.CreateObservableGauge(
            "hw.temperature", () => Read(nvml.TemperatureOf, "hw.type", "gpu"), "Cel", "Temperature of the chip.");
        meter.CreateObservableGauge("hw.power", () => Read(nvml.PowerOf, "hw.type", "gpu"), "W", "Power drawn now.");
        meter.CreateObservableCounter(
            "hw.energy", () => Read(nvml.EnergyOf, "hw.type", "gpu"), "J", "Energy used since the driver was loaded.");
        meter.CreateObservableCounter(
            "hw.errors",
            () => Errors(nvml, true).Concat(Errors(nvml, false)), "{error}", "Errors of the memory since the driver was loaded.");
    }

    private Gpu? Open(NvmlLibrary nvml, int gpu)
    {
        try
        {
            return nvml.Find(busOf(gpu)) is { } device
                ? new Gpu(
                    device,
                    [
                        new("hw.id", nvml.UuidOf(device) ?? $"cuda:{gpu}"), new("hw.name", nvml.NameOf(device) ?? ""),
                        new("hw.vendor", "NVIDIA"), new("elastic.device", $"cuda:{gpu}"),
                    ])
                : null;
        }
        catch (ElasticException)
        {
            // Its first work says what is wrong with it.
            return null;
        }
    }

    private IEnumerable<Measurement<long>> Errors(NvmlLibrary nvml, bool isCorrected) => Read(
        gpu => nvml.EccErrorsOf(gpu, isCorrected), "hw.type", "gpu", "error.type", isCorrected ? "corrected" : "uncorrected");

    private IEnumerable<Measurement<T>> Read<T>(Func<nint, T?> read, params string[] tags)
        where T : struct
    {
        foreach (var gpu in _gpus)
        {
            if (read(gpu.Device) is { } value)
                yield return new Measurement<T>(
                    value, [.. gpu.Tags, .. tags.Chunk(2).Select(t => new KeyValuePair<string, object?>(t[0], t[1]))]);
        }
    }

    private sealed record Gpu(nint Device, IReadOnlyList<KeyValuePair<string, object?>> Tags);
}
