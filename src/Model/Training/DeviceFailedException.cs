using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Model.Training;

/// <summary>
/// A device failed, or stayed away, in what all devices of a replica do together. The vectors may be half updated: nobody goes on with
/// them.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="isLost">The device does not answer: it hangs, or its thread has ended.</param>
/// <param name="message">Says what it did, and as which rank of how many.</param>
public sealed class DeviceFailedException(DeviceId device, bool isLost, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>A device whose work failed, and which may do other work.</summary>
    /// <param name="did">As which rank of how many, e.g. "rank 1 of 3 (cpu:1) failed in its update".</param>
    public DeviceFailedException(DeviceId device, string did, Exception cause)
        : this(device, isLost: false, $"{did}: {OutOfMemory.Sentence(cause)}", cause)
    {
    }

    /// <summary>The device that failed.</summary>
    public DeviceId Device { get; } = device;

    /// <summary>True where the device does not answer any more; false where its work failed, and it may do other work.</summary>
    public bool IsLost { get; } = isLost;
}
