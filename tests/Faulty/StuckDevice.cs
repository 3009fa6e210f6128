using Elastic.Actors.Nodes;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Faulty;

/// <summary>A slow machine whose device cpu:1 hangs for good in the middle of the second step that it takes part in.</summary>
internal sealed class StuckDevice
{
    // Only until the device hangs: what is slow afterwards, because the machine is busy, has the usual time.
    private static readonly StepDeadlines Short = StepDeadlines.Default with { Behind = TimeSpan.FromSeconds(8) };

    private volatile bool _isDue;
    private volatile bool _hangs;

    public NodeFaults Faults => new(AfterStep: AfterStepAsync, BeforeDeviceWork: BeforeWork, Deadlines: () => _hangs ? null : Short);

    // A round has many steps: the next work of its devices is the next step's.
    private Task AfterStepAsync(int round, CancellationToken stop)
    {
        _isDue = true;
        return Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
    }

    private void BeforeWork(DeviceId device)
    {
        if (device.Value != "cpu:1" || !_isDue || _hangs)
            return;
        _hangs = true;
        Thread.Sleep(Timeout.Infinite);
    }
}
