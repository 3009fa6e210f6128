using System.Collections.Concurrent;
using Elastic.Messages;

namespace Elastic.Torch;

/// <summary>
/// How often in a row GPUs that answer have refused work. Each attempt opens its devices anew; what they refused stays here. Used by all
/// device threads of the process.
/// </summary>
internal sealed class GpuRefusals
{
    /// <summary>As many in a row, without a step that succeeded between them, and the GPU is taken for lost.</summary>
    public const int Most = 3;

    private readonly ConcurrentDictionary<DeviceId, int> _inARow = new();

    /// <summary>Counts one; true where it is one too many. A device that is added again then begins at none.</summary>
    public bool IsOneTooMany(DeviceId device)
    {
        if (_inARow.AddOrUpdate(device, 1, (_, count) => count + 1) < Most)
            return false;
        End(device);
        return true;
    }

    /// <summary>The device has done a whole step, an evaluation, or a token of a text.</summary>
    public void End(DeviceId device) => _inARow.TryRemove(device, out _);
}
