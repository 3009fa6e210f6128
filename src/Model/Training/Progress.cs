namespace Elastic.Model.Training;

/// <summary>
/// What a device has done of one piece of work, for who waits for it: so a device that is slow is told from one that hangs. Thread-safe.
/// </summary>
public sealed class Progress
{
    private volatile TrainingDevice? _device;
    private long _before;

    /// <summary>Parts of the work that have ended; 0 before it has begun.</summary>
    public long Parts => _device is { } device ? device.PartsEnded - _before : 0;

    /// <summary>The work begins; to be called on the device's thread.</summary>
    public void Begin(TrainingDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _before = device.PartsEnded;
        _device = device;
    }
}
