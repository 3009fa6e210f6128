using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Work on some of a node's devices.</summary>
/// <param name="Number">Names the work within the node.</param>
public sealed record DeviceWork(int Number, WorkOrder Order, IReadOnlyList<DeviceId> Devices);

/// <summary>
/// A node's devices, and the work that waits for them or is on them. Devices come and go: a replica moves to those that there are
/// between two of its steps, and until it has moved, no other work gets a device that it leaves. Other work finishes on the devices
/// that it has.
/// </summary>
internal sealed class DevicePool
{
    private readonly List<(WorkOrder Order, int MostDevices, DeviceGroups Groups)> _waiting = [];
    private readonly Dictionary<int, Entry> _working = [];
    private readonly List<DeviceId> _free = [];
    private readonly HashSet<DeviceId> _open = [];                      // that work may have used, and that were not closed since
    private List<DeviceId> _all = [];

    public IReadOnlyList<DeviceId> Devices => _all;

    /// <summary>Sets the devices that the node has from now on.</summary>
    public void Set(IReadOnlyList<DeviceId> devices)
    {
        var busy = Busy();
        _all = [.. devices];
        _open.UnionWith(devices);
        _free.Clear();
        _free.AddRange(devices.Where(d => !busy.Contains(d)));
    }

    /// <summary>Sets how many devices a replica of a job can use from now on.</summary>
    /// <returns>True where replicas at work could use another number before.</returns>
    public bool SetMost(JobId job, int mostDevices)
    {
        for (var i = 0; i < _waiting.Count; i++)
            if (_waiting[i].Order is var order && IsReplica(order) && order.Job == job)
                _waiting[i] = (order, mostDevices, _waiting[i].Groups);
        var others = _working.Values.Where(e => IsReplica(e.Work.Order) && e.Work.Order.Job == job && e.Most != mostDevices)
            .ToList();
        others.ForEach(e => e.Most = mostDevices);
        return others.Count > 0;
    }

    /// <param name="mostDevices">Devices that the work can use.</param>
    /// <param name="groups">How a replica's model is split over devices.</param>
    public void Enqueue(WorkOrder order, int mostDevices, DeviceGroups groups) => _waiting.Add((order, mostDevices, groups));

    /// <summary>
    /// Puts work onto free devices, that of the highest priority first. Replicas of one priority share them evenly, as far as the groups
    /// go that split their model. An evaluation, or a piece of one, is short and takes all CPU devices, or one GPU.
    /// </summary>
    /// <param name="number">Gives the number of the next work.</param>
    /// <param name="priorityOf">The priority of a job.</param>
    /// <param name="least">Work of a lower priority waits on.</param>
    public IReadOnlyList<DeviceWork> Start(Func<int> number, Func<JobId, int> priorityOf, int least)
    {
        var started = new List<DeviceWork>();
        while (_waiting.Count > 0 && _free.Count > 0)
        {
            var highest = _waiting.Max(w => PriorityOf(w.Order));
            if (highest < least)
                break;
            var at = _waiting.FindIndex(w => PriorityOf(w.Order) == highest);
            var (order, most, groups) = _waiting[at];
            _waiting.RemoveAt(at);
            var sharers = IsReplica(order) ? _waiting.Count(w => PriorityOf(w.Order) == highest) + 1 : 1;
            var isShared = IsReplica(order) || _free.All(d => d.IsCpu);
            var devices = _free.Take(isShared ? groups.ShareOf(_free.Count, sharers, most) : 1).ToList();
            _free.RemoveRange(0, devices.Count);
            var work = new DeviceWork(number(), order, devices);
            _working[work.Number] = new Entry(work, most, groups);
            started.Add(work);
        }

        return started;

        int PriorityOf(WorkOrder order) => priorityOf(order.Job);
    }

    /// <summary>Work that waits for devices.</summary>
    public IEnumerable<WorkOrder> Waiting => _waiting.Select(w => w.Order);

    /// <summary>How many devices each job computes on.</summary>
    public IReadOnlyDictionary<JobId, int> InUse =>
        _working.Values.GroupBy(e => e.Work.Order.Job).ToDictionary(g => g.Key, g => g.Sum(e => e.Work.Devices.Count));

    /// <summary>
    /// Chooses the replicas that are to be handed over at their next step, so that what waits with a higher priority gets devices: one for
    /// each piece that waits, those of the lowest priority and that began last first. Each is chosen once.
    /// </summary>
    /// <returns>Their numbers.</returns>
    /// <param name="least">What waits with a lower priority waits on.</param>
    public IReadOnlyList<int> Yield(Func<JobId, int> priorityOf, int least)
    {
        var chosen = new List<int>();
        var yielding = _working.Values.Count(e => e.Yields);
        foreach (var (order, _, _) in _waiting.Where(w => priorityOf(w.Order.Job) >= least)
            .OrderByDescending(w => priorityOf(w.Order.Job)).Skip(yielding))
        {
            var (number, entry) = _working
                .Where(w => w.Value is { Yields: false, Dropped: false } && IsReplica(w.Value.Work.Order)
                    && priorityOf(w.Value.Work.Order.Job) < priorityOf(order.Job))
                .OrderBy(w => priorityOf(w.Value.Work.Order.Job)).ThenByDescending(w => w.Key).FirstOrDefault();
            if (entry is null)
                break;
            entry.Yields = true;
            chosen.Add(number);
        }

        return chosen;
    }

    /// <summary>
    /// Divides the CPU devices among the replicas on them, after devices have come or gone: a replica keeps those that are still there, and
    /// gets free ones that nothing waits for, as many at a time as make more of its devices work, the one that has the fewest first. What
    /// makes no whole group is spread evenly: such devices update parameters.
    /// </summary>
    /// <returns>The replicas that move, with their new devices; with none where none is left: such a one is to be handed over.</returns>
    public IReadOnlyList<DeviceWork> Divide()
    {
        var shares = _working.Values.Where(e => e.MayMove).OrderBy(e => e.Work.Number)
            .Select(e => (Entry: e, Devices: e.Work.Devices.Where(_all.Contains).Take(e.Most).ToList())).ToList();
        foreach (var (_, devices) in shares.Where(s => s.Devices.Count == 0))
            TakeFree(devices);
        for (var free = _free.Count(d => d.IsCpu); _waiting.Count == 0 && free > 0; free = _free.Count(d => d.IsCpu))
        {
            var able = shares.Where(s => s.Devices.Count > 0 && s.Devices.Count < s.Entry.Most).OrderBy(s => s.Devices.Count).ToList();
            if (able.Count == 0)
                break;
            var next = able.Find(s => More(s.Entry, s.Devices, free) > 0) is { Entry: not null } whole ? whole : able[0];
            for (var more = Math.Max(1, More(next.Entry, next.Devices, free)); more > 0; more--)
                TakeFree(next.Devices);
        }

        var moves = shares.Where(s => !s.Devices.ToHashSet().SetEquals(s.Entry.Work.Devices)).ToList();
        foreach (var (entry, devices) in moves)
            entry.Next = devices;
        return [.. moves.Select(m => m.Entry.Work with { Devices = m.Devices })];

        // Devices until more of the replica's work; 0 where there are not so many, or it can use no more.
        static int More(Entry entry, List<DeviceId> devices, int free) =>
            entry.Groups.UntilMoreWork(devices.Count) is var more && more <= Math.Min(free, entry.Most - devices.Count) ? more : 0;
    }

    /// <summary>A replica has moved: the devices that it left are free.</summary>
    public void Moved(int number)
    {
        if (!_working.TryGetValue(number, out var entry) || entry.Next is not { Count: > 0 } next)
            return;
        var left = entry.Work.Devices.Except(next).Where(_all.Contains).ToList();
        (entry.Work, entry.Next) = (entry.Work with { Devices = next }, null);
        _free.AddRange(left);
    }

    /// <summary>A device of this work is lost, and with it the work: it begins anew on others, before what waits.</summary>
    /// <returns>The order; null where it was dropped, or no work was on the device.</returns>
    public WorkOrder? Lose(int number, DeviceId device, bool beginsAnew)
    {
        _all.Remove(device);
        _free.Remove(device);
        var was = _working.GetValueOrDefault(number);
        var order = End(number);
        if (order is not null && beginsAnew && _all.Count > 0)
            _waiting.Insert(0, (order, was!.Most, was.Groups));
        return order;
    }

    /// <summary>A device of this work is lost; the work has others, and goes on with them, wherever it was to move.</summary>
    /// <returns>Its devices from now on; null where the work has ended.</returns>
    public IReadOnlyList<DeviceId>? LoseOne(int number, DeviceId device)
    {
        _all.Remove(device);
        _free.Remove(device);
        if (!_working.TryGetValue(number, out var entry))
            return null;
        var (left, next) = (entry.Work.Devices.Where(d => d != device).ToList(), entry.Next);
        (entry.Work, entry.Next) = (entry.Work with { Devices = left }, null);
        _free.AddRange((next ?? []).Where(d => !left.Contains(d) && _all.Contains(d)));
        return left;
    }

    /// <summary>Frees the devices of a work that has ended.</summary>
    /// <returns>The order; null where it was dropped, so that its result does not count.</returns>
    public WorkOrder? End(int number)
    {
        if (!_working.Remove(number, out var entry))
            return null;
        _free.AddRange(entry.Uses.Where(_all.Contains));
        return entry.Dropped ? null : entry.Work.Order;
    }

    /// <summary>Devices that the node has no more, and that no work uses any more; each once.</summary>
    public IReadOnlyList<DeviceId> Close()
    {
        if (_open.Count == _all.Count)
            return [];
        var busy = Busy();
        var unused = _open.Where(d => !_all.Contains(d) && !busy.Contains(d)).ToList();
        _open.ExceptWith(unused);
        return unused;
    }

    /// <summary>Work of a job that is on devices.</summary>
    public IEnumerable<int> WorkingFor(JobId job) => _working.Where(w => w.Value.Work.Order.Job == job).Select(w => w.Key);

    /// <summary>The order of work that is on devices; null where it has ended.</summary>
    public WorkOrder? OrderOf(int number) => _working.GetValueOrDefault(number)?.Work.Order;

    /// <summary>The job of work that is on devices; null where it has ended.</summary>
    public JobId? JobOf(int number) => OrderOf(number)?.Job;

    /// <summary>Removes a job's work that waits for devices.</summary>
    /// <returns>The orders that were removed.</returns>
    public IReadOnlyList<WorkOrder> Clear(JobId job) => Clear(order => order.Job == job);

    /// <summary>Removes work that waits for devices.</summary>
    /// <returns>The orders that were removed.</returns>
    public IReadOnlyList<WorkOrder> Clear(Func<WorkOrder, bool> which)
    {
        var forgotten = _waiting.Where(w => which(w.Order)).Select(w => w.Order).ToList();
        _waiting.RemoveAll(w => which(w.Order));
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
            _working[number].Dropped = true;
        return dropped;
    }

    // A replica, or a stage of one, which is handed over with the others'.
    private static bool IsReplica(WorkOrder order) => ComputeWork.Of(order.Content) is not null;

    private bool TakeFree(List<DeviceId> into)
    {
        if (_free.FindIndex(d => d.IsCpu) is var at && at < 0)
            return false;
        into.Add(_free[at]);
        _free.RemoveAt(at);
        return true;
    }

    private HashSet<DeviceId> Busy() => [.. _working.Values.SelectMany(w => w.Uses)];

    private sealed class Entry(DeviceWork work, int most, DeviceGroups groups)
    {
        public DeviceGroups Groups => groups;

        public DeviceWork Work { get; set; } = work;

        public int Most { get; set; } = most;

        public bool Dropped { get; set; }

        /// <summary>It is to be handed over for work of a higher priority.</summary>
        public bool Yields { get; set; }

        /// <summary>The devices that it was told to move to, and has not moved to yet; none where it is to be handed over.</summary>
        public IReadOnlyList<DeviceId>? Next { get; set; }

        /// <summary>Its devices, and those that it moves to.</summary>
        public IEnumerable<DeviceId> Uses => Next is null ? Work.Devices : Work.Devices.Union(Next);

        // A GPU's memory holds its replica, which finishes the round there; so does a stage, for which other nodes wait.
        public bool MayMove => !Dropped && Next is null && Work.Order.Content is Compute { Stages: [] } && Work.Devices.All(d => d.IsCpu);
    }
}
