using System.Runtime.CompilerServices;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>
/// A kind of device with memory of its own, of the size that a test states. All tests of this process know it from the beginning, as a
/// program knows its kinds: sentences name them all, whichever test runs first.
/// </summary>
internal sealed class RoomyDevices : IDeviceBackend
{
    public static RoomyDevices Kind { get; } = new();

    public (long Free, long All) Memory { get; set; }

    string IDeviceBackend.Kind => "roomy";

    public int Count => 1;

    [ModuleInitializer]
    internal static void Register() => DeviceBackends.Register(Kind);

    public string Describe() => "";

    public string Arithmetic(DeviceId device) => "";

    public TrainingDevice Open(
        DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute)
        => throw new NotSupportedException();

    public DeviceVector Allocate(DeviceId device, long length) => new HostVector(length);

    public DeviceVector Allocate(DeviceId device, long length, IReadOnlyList<(long First, long Count)> ranges) =>
        throw new NotSupportedException();

    (long Free, long All)? IDeviceBackend.MemoryOf(DeviceId device) => Memory;
}
