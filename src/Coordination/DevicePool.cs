using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Work on some of a node's devices.</summary>
/// <param name="Number">Names the work within the node.</param>
public sealed record DeviceWork(int Number, WorkOrder Order, IReadOnlyList<DeviceId> Devices);

// A node's devices, and the work that waits for them or is on them. Devices come and go; a device that goes finishes its work.
internal sealed class DevicePool
{
    private readonly List<(WorkOrder Order, int MostDevices)> _waiting = [];
    private readonly Dictionary<int, (DeviceWork Work, bool Dropped)> _working = [];
    private readonly List<DeviceId> _free = [];
    private List<DeviceId> _all = [];

    public IReadOnlyList<DeviceId> Devices => _all;

    /// <summary>Sets the devices that the node has from now on.</summary>
    public void Set(IReadOnlyList<DeviceId> devices)
    {
        var busy = _working.Values.SelectMany(w => w.Work.Devices).ToHashSet();
        _all = [.. devices];
        _free.Clear();
        _free.AddRange(devices.Where(d => !busy.Contains(d)));
    }

    /// <param name="mostDevices">Devices that the work can use.</param>
    public void Enqueue(WorkOrder order, int mostDevices) => _waiting.Add((order, mostDevices));

    /// <summary>
    /// Puts work onto free devices. An evaluation is short and takes all CPU devices; replicas share them evenly. With a GPU among the
    /// free, each work gets one device.
    /// </summary>
    /// <param name="number">Gives the number of the next work.</param>
    public IReadOnlyList<DeviceWork> Start(Func<int> number)
    {
        var started = new List<DeviceWork>();
        while (_waiting.Count > 0 && _free.Count > 0)
        {
            var (order, most) = _waiting[0];
            _waiting.RemoveAt(0);
            var share = _free.Count / (order.Content is Evaluate ? 1 : _waiting.Count + 1);
            // Several GPUs on one piece of work need a collective between them; CPU devices fold gradients through shared memory.
            var devices = _free.Take(_free.All(d => d.IsCpu) ? Math.Clamp(share, 1, most) : 1).ToList();
            _free.RemoveRange(0, devices.Count);
            var work = new DeviceWork(number(), order, devices);
            _working[work.Number] = (work, false);
            started.Add(work);
        }

        return started;
    }

    /// <summary>Frees the devices of a work that has ended.</summary>
    /// <returns>The order; null where it was dropped, so that its result does not count.</returns>
    public WorkOrder? End(int number)
    {
        if (!_working.Remove(number, out var entry))
            return null;
        _free.AddRange(entry.Work.Devices.Where(_all.Contains));
        return entry.Dropped ? null : entry.Work.Order;
    }

    /// <summary>Work of a job that is on devices.</summary>
    public IEnumerable<int> WorkingFor(JobId job) => _working.Where(w => w.Value.Work.Order.Job == job).Select(w => w.Key);

    /// <summary>Removes a job's work that waits for devices.</summary>
    /// <returns>The orders that were removed.</returns>
    public IReadOnlyList<WorkOrder> Clear(JobId job)
    {
        var forgotten = _waiting.Where(w => w.Order.Job == job).Select(w => w.Order).ToList();
        _waiting.RemoveAll(w => w.Order.Job == job);
        return forgotten;
    }

    /// <summary>Drops work that is no longer needed.</summary>
    /// <returns>Numbers of the work on devices that is to be ended.</returns>
    public IReadOnlyList<int> Drop(JobId job, WorkKey key)
    {
        bool IsIt(WorkOrder order) => order.Job == job && order.Key == key;
        _waiting.RemoveAll(w => IsIt(w.Order));
        var dropped = _working.Where(w => !w.Value.Dropped && IsIt(w.Value.Work.Order)).Select(w => w.Key).ToList();
        foreach (var number in dropped)
            _working[number] = _working[number] with { Dropped = true };
        return dropped;
    }
}
