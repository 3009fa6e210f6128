using System.Globalization;
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

    /// <summary>A line about it, for people who ask what this machine can do.</summary>
    /// <exception cref="ElasticException">A library is missing or does not load.</exception>
    string Describe();

    /// <summary>What the bits of its results depend on besides settings, seed and corpus.</summary>
    string Arithmetic(DeviceId device);

    /// <summary>A device for a model.</summary>
    /// <param name="labelSmoothing">Of the loss, in training only.</param>
    /// <param name="threads">Threads of a device on the CPU.</param>
    /// <param name="recompute">What it computes again in place of keeping it, where the device offers it. The bits are the same.</param>
    TrainingDevice Open(DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute);

    /// <summary>A vector of so many zeros where the device computes.</summary>
    DeviceVector Allocate(DeviceId device, long length);

    /// <summary>How devices of this kind compute a replica together; one at a time for each device. No choice changes a bit.</summary>
    ICollective OpenCollective(IReadOnlyList<IDeviceThread> devices) => new LocalCollective(devices);
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

    /// <summary>The kind of that name; null where this program was built without it.</summary>
    public static IDeviceBackend? Find(string kind) => _all.GetValueOrDefault(kind);

    /// <summary>The kind of a device: "cpu:3" is a slot on the CPU, "cuda:1" the second GPU.</summary>
    /// <exception cref="ElasticException">The name is none of these, or the device does not exist.</exception>
    public static IDeviceBackend Of(DeviceId device)
    {
        var parts = device.Value.Split(':');
        if (parts.Length != 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            throw new ElasticException($"\"{device}\" is no device: use a name like \"cpu:0\" or \"cuda:0\"");
        var backend = Find(parts[0]) ?? throw new ElasticException(
            $"\"{device}\": this program was built without devices of this kind; it knows {string.Join(", ", _all.Keys.Order())}");
        return index < backend.Count
            ? backend
            : throw new ElasticException($"{device}: this machine offers {backend.Count} {backend.Kind} devices");
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
    }
}
