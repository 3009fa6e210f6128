using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Model.Splits;

namespace Elastic.Simulation;

/// <summary>What is on the devices of a virtual node, and what must hold of it while devices come, go, die and hang.</summary>
internal sealed class DeviceRules(NodeId node)
{
    // Results that were sent: the coordinator lists them until a supervisor acknowledges them.
    private readonly HashSet<(WorkKey, OrderId)> _answered = [];

    // Devices that died or hang, until a person gives them back.
    private readonly HashSet<DeviceId> _lost = [];

    // How each replica was split at its last step, and whether it has lost a device since.
    private readonly Dictionary<WorkKey, (SplitInUse Split, bool HasLost)> _splits = [];

    private DeviceId[] _devices = [];

    /// <summary>The node's devices.</summary>
    public required DeviceId[] Devices
    {
        get => _devices;
        set
        {
            _devices = value;
            _lost.ExceptWith(value);
        }
    }

    /// <summary>The work, by number; upkeep has no device.</summary>
    public Dictionary<int, OnDevice> Running { get; } = [];

    /// <summary>Openings of runs that have not ended, and inputs that put waiting work onto devices: until then, work may wait.</summary>
    public int Delays { get; set; }

    /// <summary>The process is gone, and all that was on the devices.</summary>
    public void Clear()
    {
        Running.Clear();
        _answered.Clear();
        _lost.Clear();
        _splits.Clear();
        Delays = 0;
    }

    /// <summary>A device on which this is computed is lost, and the node has it no more.</summary>
    public void Lose(DeviceId device, WorkKey work)
    {
        Devices = [.. Devices.Where(d => d != device)];
        _lost.Add(device);
        if (_splits.TryGetValue(work, out var was))
            _splits[work] = (was.Split, true);
    }

    /// <summary>A replica begins a step: checks its devices.</summary>
    /// <returns>How its split has changed since its last step here; null where it has none before.</returns>
    public SplitChange? Begin(OnDevice replica)
    {
        var (key, now) = (replica.Order.Key, replica.Taken!.Split);
        foreach (var device in replica.Devices)
            Invariant.Holds(!_lost.Contains(device), $"{node} takes step {replica.Step + 1} of {key} on {device}, which is lost");
        var change = _splits.TryGetValue(key, out var was) ? new SplitChange(was.Split, now, was.HasLost) : null;
        _splits[key] = (now, false);
        return change;
    }

    /// <summary>Checks devices that work is given. Two pieces of work on one device would write into each other's vectors.</summary>
    public void CheckGiven(IEnumerable<DeviceId> devices, int work)
    {
        foreach (var device in devices)
        {
            Invariant.Holds(Devices.Contains(device), $"{node} gives work {work} {device}, which it has not");
            Invariant.Holds(!Running.Any(r => r.Key != work && r.Value.Uses.Contains(device)),
                $"{node} gives work {work} {device}, where other work computes");
        }
    }

    /// <summary>Checks a device that is closed.</summary>
    public void CheckClosed(DeviceId device) => Invariant.Holds(
        !Devices.Contains(device) && !Running.Values.Any(r => r.Uses.Contains(device)),
        $"{node} closes {device}, which it has, or which computes");

    public void Note(WorkResult result) => _answered.Add((result.Key, result.Order));

    /// <summary>
    /// Checks what a node says that it has: work for devices is answered, or on some, or waits because none is free. To a supervisor, work
    /// that was forgotten looks like work that hangs, for which it waits some minutes.
    /// </summary>
    public void CheckSaid(NodeReport.Enlist report)
    {
        if (Delays > 0 || Devices.Except(Running.Values.SelectMany(r => r.Uses)).ToList() is not [var free, ..])
            return;
        foreach (var work in report.Pieces().Where(w => WorkKinds.Of(w.Key).OccupiesDevices && !_answered.Contains((w.Key, w.Order))))
            Invariant.Holds(
                Running.Values.Any(r => r.Order.Key == work.Key && r.Order.Id == work.Order),
                $"{node} says that it has {work.Key}, which is nowhere, though {free} is free");
    }

    /// <summary>Work, and its devices; none for upkeep.</summary>
    public sealed class OnDevice(WorkOrder order)
    {
        public WorkOrder Order => order;

        public DeviceId[] Devices { get; set; } = [];

        public DeviceId[] Next { get; set; } = [];

        /// <summary>One of its devices died or hangs: it ends when the device is taken for lost.</summary>
        public bool IsHung { get; set; }

        /// <summary>Steps of the replica's round that were taken.</summary>
        public int Step { get; set; }

        /// <summary>It takes no step after so many, and does not end.</summary>
        public int MostSteps { get; set; }

        public double StepMilliseconds { get; set; }

        /// <summary>Counts the steps that were begun: one that was repeated with other devices counts for nothing.</summary>
        public int Attempt { get; set; }

        /// <summary>The step that is being taken; null where none was begun.</summary>
        public VirtualStep? Taken { get; set; }

        /// <summary>When it began.</summary>
        public TimeSpan Began { get; set; }

        public IEnumerable<DeviceId> Uses => Devices.Concat(Next);
    }
}

/// <summary>How a replica's network was split over its devices at two steps after one another.</summary>
/// <param name="HasLost">A device was lost in between.</param>
internal sealed record SplitChange(SplitInUse Before, SplitInUse Now, bool HasLost);
