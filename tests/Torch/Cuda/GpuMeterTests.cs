using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Testing;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.Nvml;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>What GPUs measure of themselves, read from a fake of NVML in C.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class GpuMeterTests : IDisposable
{
    private static readonly Lazy<nint> Fake = new(() => FakeGpu.Shared.Load("libnvidia-ml.so.1", "fake_nvml.c", []));

    private readonly Meter _meter = new("a test");

    public void Dispose()
    {
        Ask(Fake.Value, "fake_start", 0);
        Ask(Fake.Value, "fake_refuse", 0);
        _meter.Dispose();
    }

    [Fact]
    public void Each_GPU_is_found_where_it_is_plugged_in_and_measured_under_the_names_of_OpenTelemetry()
    {
        var meters = New(() => new NvmlLibrary(Fake.Value));
        Assert.Empty(Collected(() => Task.CompletedTask));
        // The library does not know the second one, which is no error.
        var read = Collected(() => meters.Measure([0, 1]));
        Assert.Equal(
            [
                "hw.energy J 5123.456 hw.type=gpu", "hw.errors {error} 1 hw.type=gpu error.type=uncorrected",
                "hw.errors {error} 3 hw.type=gpu error.type=corrected", "hw.gpu.memory.limit By 85899345920",
                "hw.gpu.memory.usage By 21474836480", "hw.gpu.memory.utilization 1 0.25", "hw.gpu.utilization 1 0.87 hw.gpu.task=general",
                "hw.power W 431.5 hw.type=gpu", "hw.temperature Cel 64 hw.type=gpu",
            ],
            read.Select(r => r.Replace(" hw.id=GPU-fake-0 hw.name=Fake GPU 0 hw.vendor=NVIDIA elastic.device=cuda:0", "",
                StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Empty(Collected(() => meters.Measure([])));
        Assert.Equal(read, Collected(() => meters.Measure([0])));
    }

    [Fact]
    public void What_an_older_library_lacks_and_what_a_GPU_does_not_measure_gives_no_value()
    {
        var old = FakeGpu.Shared.Load("libold-nvidia-ml.so.1", "fake_nvml.c", ["-DOLD"]);
        var library = new NvmlLibrary(old);
        Assert.Equal(["nvmlDeviceGetTotalEnergyConsumption"], library.Missing);
        Assert.Equal("NVML measures, and lacks nvmlDeviceGetTotalEnergyConsumption", CudaDescription.OfMeters(() => library));
        Ask(old, "fake_refuse", 1);
        var read = Collected(() => New(() => library).Measure([0]));
        Assert.Equal(7, read.Count);
        Assert.DoesNotContain(read, r => r.StartsWith("hw.energy", StringComparison.Ordinal));
        Assert.DoesNotContain(read, r => r.StartsWith("hw.power", StringComparison.Ordinal));
    }

    [Fact]
    public void A_machine_without_the_library_measures_nothing_and_one_that_does_not_start_is_named()
    {
        Assert.Empty(Collected(() => New(() => null).Measure([0])));
        Assert.Equal("no metrics of GPUs: libnvidia-ml.so.1 is not here", CudaDescription.OfMeters(() => null));
        Ask(Fake.Value, "fake_start", 999);
        Assert.Equal(
            "no metrics of GPUs: libnvidia-ml.so.1 does not start: error 999 (Unknown Error)",
            CudaDescription.OfMeters(() => new NvmlLibrary(Fake.Value)));
    }

    [Fact]
    public void Docs_name_each_metric()
    {
        Collected(() => New(() => new NvmlLibrary(Fake.Value)).Measure([0]));
        var explained = Regex.Matches(File.ReadAllText(Checkout.PathOf("docs/metrics.md")), @"`(?<name>hw\.[a-z.]+)`",
            RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10)).Select(m => m.Groups["name"].Value).Where(n => _names.Contains(n));
        Assert.Equal(_names.Order(StringComparer.Ordinal), explained.Distinct().Order(StringComparer.Ordinal));
    }

    private readonly HashSet<string> _names = [];

    private GpuMeters New(Func<NvmlLibrary?> load) => new(_meter, load, FakeGpu.Shared.Driver.BusOf);

    // A line for each number that somebody who collects after this gets.
    private List<string> Collected(Func<Task> act)
    {
        List<string> read = [];
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter != _meter)
                    return;
                _names.Add(instrument.Name);
                listener.EnableMeasurementEvents(instrument);
            },
        };
        void Add<T>(Instrument instrument, T value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{instrument.Name} {instrument.Unit} {value}");
            foreach (var tag in tags)
                text += $" {tag.Key}={tag.Value}";
            read.Add(text);
        }
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Add(i, value, tags));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Add(i, value, tags));
        listener.Start();
        act().GetAwaiter().GetResult();
        listener.RecordObservableInstruments();
        return read;
    }

    private static unsafe void Ask(nint library, string what, int value) =>
        ((delegate* unmanaged<int, void>)System.Runtime.InteropServices.NativeLibrary.GetExport(library, what))(value);
}
