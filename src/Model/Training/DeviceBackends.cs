using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>A kind of device: who computes on it, and where its vectors lie.</summary>
public interface IDeviceBackend
{
    /// <summary>The first part of its devices' names, e.g. "cpu".</summary>
    string Kind { get; }

    /// <summary>Devices of this machine; they are numbered from 0.</summary>
    int Count { get; }

    /// <summary>Logical devices that each of them offers: streams of a GPU, numbered from 0, e.g. "cuda:0#1".</summary>
    int MostParts => 0;

    /// <summary>A line about it, for people who ask what this machine can do.</summary>
    /// <exception cref="ElasticException">A library is missing or does not load.</exception>
    string Describe();

    /// <summary>What the bits of its results depend on besides settings, seed and corpus.</summary>
    string Arithmetic(DeviceId device);

    /// <summary>A device for a model.</summary>
    /// <param name="labelSmoothing">Label smoothing of the loss, in training only.</param>
    /// <param name="threads">Threads of a device on the CPU.</param>
    /// <param name="recompute">What it computes again in place of keeping it, where the device offers it. The bits are the same.</param>
    TrainingDevice Open(DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute);

    /// <summary>A vector of so many zeros where the device computes.</summary>
    DeviceVector Allocate(DeviceId device, long length);

    /// <summary>A vector of so many zeros, of which only the tiles take memory that hold these elements: a stage's part.</summary>
    DeviceVector Allocate(DeviceId device, long length, IReadOnlyList<(long First, long Count)> ranges);

    /// <summary>Bytes of a device's own memory that nobody has, and all; null where it has none of its own, or does not say.</summary>
    (long Free, long All)? MemoryOf(DeviceId device) => null;

    /// <summary>How devices of this kind compute a replica together; one at a time for each device. No choice changes a bit.</summary>
    ICollective OpenCollective(IReadOnlyList<IDeviceThread> devices) => new LocalCollective(devices);

    /// <summary>
    /// One rank of a check that devices of several processes exchange vectors; returns what came, in a line. Only GPUs have a way to do so.
    /// </summary>
    /// <param name="say">Gets a line when all ranks have come.</param>
    /// <exception cref="ElasticException">A rank is gone or sent other bytes, or there is no such way.</exception>
    string CheckProcesses(DeviceId device, ProcessRank rank, Action<string> say, CancellationToken cancel) =>
        throw new ElasticException($"{device}: devices of {Kind} exchange nothing between processes: name a GPU, e.g. cuda:0");

    /// <summary>How fast a device computes the products of a step of GPT-2 124M in bf16. Only GPUs have a library for them.</summary>
    /// <param name="rows">Tokens of a micro-batch.</param>
    /// <exception cref="ElasticException">There is no such library, or it is of no use.</exception>
    IReadOnlyList<ProductTime> TimeProducts(DeviceId device, int rows) =>
        throw new ElasticException($"{device}: products of {Kind} are Elastic's or libtorch's own: name a GPU, e.g. cuda:0");

    /// <summary>
    /// What a training step of GPT-2 124M in bf16 spends its time on, kernel by kernel. Only GPUs have kernels to measure.
    /// </summary>
    /// <param name="rows">Sequences of 1024 tokens of a micro-batch.</param>
    /// <exception cref="ElasticException">There is nothing to measure with.</exception>
    StepTimes TimeStep(DeviceId device, int rows) =>
        throw new ElasticException($"{device}: devices of {Kind} have no kernels to measure: name a GPU, e.g. cuda:0");

    /// <summary>
    /// Begins to give what the devices measure of themselves to whoever collects metrics, in place of those that were named before.
    /// Measures nothing where there is nothing to measure with.
    /// </summary>
    /// <param name="devices">All devices of this kind that the node has.</param>
    void Measure(IReadOnlyList<DeviceId> devices)
    {
    }
}

/// <summary>The kinds of devices that this program was built with, by name.</summary>
public static class DeviceBackends
{
    // Written while the process starts, read afterwards: replaced as a whole, so that readers need no lock.
    private static volatile IReadOnlyDictionary<string, IDeviceBackend> _all =
        new Dictionary<string, IDeviceBackend>(StringComparer.Ordinal) { ["cpu"] = new CpuBackend() };

    /// <summary>All of them.</summary>
    public static IEnumerable<IDeviceBackend> All => _all.Values;

    /// <summary>Adds a kind, while the process starts.</summary>
    public static void Register(IDeviceBackend backend)
    {
        ArgumentNullException.ThrowIfNull(backend);
        _all = new Dictionary<string, IDeviceBackend>(_all, StringComparer.Ordinal) { [backend.Kind] = backend };
    }

    /// <summary>What is said of a kind that <see cref="Find"/> does not find.</summary>
    public static string Without => $"this program was built without devices of this kind; it knows {string.Join(", ", _all.Keys.Order())}";

    /// <summary>The kind of that name; null where this program was built without it.</summary>
    public static IDeviceBackend? Find(string kind) => _all.GetValueOrDefault(kind);

    /// <summary>
    /// Begins to measure the devices that a node has, in place of those that it had; see <see cref="IDeviceBackend.Measure"/>.
    /// </summary>
    public static void Measure(IReadOnlyList<DeviceId> devices)
    {
        foreach (var backend in All)
            backend.Measure([.. devices.Where(d => d.Parts?.Kind == backend.Kind)]);
    }

    /// <summary>
    /// What somebody asks of a device who does not work: a step would be tried again, or go on elsewhere, after what ends a question.
    /// </summary>
    /// <exception cref="ElasticException">The device is lost, or refuses it now, or its memory is short.</exception>
    public static T Ask<T>(Func<T> question)
    {
        ArgumentNullException.ThrowIfNull(question);
        try
        {
            return question();
        }
        // A refusal has its reason within; what has none is a defect.
        catch (Exception e) when (e is DeviceFailedException or InvalidOperationException { InnerException: not null })
        {
            throw new ElasticException(OutOfMemory.Sentence(e), e);
        }
        catch (Exception e) when (OutOfMemory.Describe(e) is { } problem)
        {
            throw new ElasticException(problem, e);
        }
    }

    /// <summary>The kind of a device: "cpu:3" is a slot on the CPU, "cuda:1" the second GPU.</summary>
    /// <exception cref="ElasticException">The name is none of these, or the device does not exist.</exception>
    public static IDeviceBackend Of(DeviceId device)
    {
        if (device.Parts is not var (kind, number, part))
            throw new ElasticException($"\"{device}\" is no device: use a name like \"cpu:0\" or \"cuda:0\"");
        var backend = Find(kind) ?? throw new ElasticException(
            $"\"{device}\": {Without}");
        if (number >= backend.Count)
            throw new ElasticException($"{device}: this machine offers {backend.Count} {backend.Kind} devices");
        return part is null || part < backend.MostParts
            ? backend
            : throw new ElasticException(backend.MostParts == 0
                ? $"{device}: devices of {backend.Kind} have no logical devices: use {device.Whole()}"
                : $"{device}: a device of {backend.Kind} has at most {backend.MostParts} logical devices, #0 to #{backend.MostParts - 1}");
    }

    private sealed class CpuBackend : IDeviceBackend
    {
        public string Kind => "cpu";

        // Slots, not cores: people may ask for more.
        public int Count => int.MaxValue;

        public string Describe() => $"{Environment.ProcessorCount} cores";

        public string Arithmetic(DeviceId device) => Training.Arithmetic.OfCpus;

        public TrainingDevice Open(
            DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute)
            => new CpuDevice(device, architecture, labelSmoothing, threads, recompute);

        public DeviceVector Allocate(DeviceId device, long length) => new HostVector(length);

        // The system gives memory where something is written.
        public DeviceVector Allocate(DeviceId device, long length, IReadOnlyList<(long First, long Count)> ranges) =>
            HostVector.Untouched(length);
    }
}
