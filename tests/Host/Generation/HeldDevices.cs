using System.Runtime.CompilerServices;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Host.Tests.Generation;

/// <summary>
/// A kind of device that cannot be had, for a reason that a test states. All tests of this process know it from the beginning, as a program
/// knows its kinds: sentences name them all, whichever test runs first.
/// </summary>
internal sealed class HeldDevices : IDeviceBackend
{
    public static HeldDevices Kind { get; } = new();

    public Exception Why { get; set; } = new NotSupportedException();

    string IDeviceBackend.Kind => "held";

    public int Count => 1;

    [ModuleInitializer]
    internal static void Register() => DeviceBackends.Register(Kind);

    public string Describe() => "";

    public string Arithmetic(DeviceId device) => "";

    public TrainingDevice Open(
        DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute) => throw Why;

    public DeviceVector Allocate(DeviceId device, long length) => throw Why;

    public DeviceVector Allocate(DeviceId device, long length, IReadOnlyList<(long First, long Count)> ranges) => throw Why;
}
