using Elastic.Messages;

namespace Elastic.Torch;

/// <summary>
/// How often in a row GPUs that answer have refused a piece of work, and whether another GPU has done the same piece meanwhile: what each
/// GPU refuses is the fault of none. Each attempt opens its devices anew; what they refused stays here. Used by all device threads of the
/// process.
/// </summary>
internal sealed class GpuRefusals
{
    /// <summary>As many in a row, where another GPU has done that piece since the first of them, and the GPU is taken for lost.</summary>
    public const int Most = 3;

    private readonly Lock _gate = new();
    private readonly Dictionary<(DeviceId Device, string Piece), (int Count, bool IsDoneElsewhere)> _inARow = [];

    /// <summary>Counts one; true where it is one too many. A device that is added again then begins at none.</summary>
    /// <param name="piece">Names the model, what is computed, and of how much.</param>
    public bool IsOneTooMany(DeviceId device, string piece)
    {
        lock (_gate)
        {
            var (count, isDoneElsewhere) = _inARow.GetValueOrDefault((device, piece));
            _inARow[(device, piece)] = (count + 1, isDoneElsewhere);
            if (count + 1 < Most || !isDoneElsewhere)
                return false;
            Forget(device);
            return true;
        }
    }

    /// <summary>The device has done a piece, which others may have refused.</summary>
    /// <param name="piece">As in <see cref="IsOneTooMany"/>; asked for where there are refusals.</param>
    public void NoteDone(DeviceId device, Func<string> piece)
    {
        lock (_gate)
        {
            if (_inARow.Count == 0)
                return;
            var done = piece();
            // A logical device shows nothing of another one of its GPU.
            foreach (var row in _inARow.Keys.Where(r => r.Piece == done && r.Device.Whole() != device.Whole()).ToList())
                _inARow[row] = (_inARow[row].Count, true);
        }
    }

    /// <summary>The device has done a whole step, an evaluation, or a token of a text.</summary>
    public void End(DeviceId device)
    {
        lock (_gate)
            Forget(device);
    }

    private void Forget(DeviceId device)
    {
        foreach (var row in _inARow.Keys.Where(r => r.Device == device).ToList())
            _inARow.Remove(row);
    }
}
