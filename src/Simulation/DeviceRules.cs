using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Simulation;

/// <summary>What is on the devices of a virtual node, and what must hold of it while devices come, go and hang.</summary>
internal sealed class DeviceRules(NodeId node)
{
    // Results that were sent: the coordinator lists them until a supervisor acknowledges them.
    private readonly HashSet<(WorkKey, OrderId)> _answered = [];

    /// <summary>The node's devices.</summary>
    public required DeviceId[] Devices { get; set; }

    /// <summary>The work, by number; upkeep has no device.</summary>
    public Dictionary<int, OnDevice> Running { get; } = [];

    /// <summary>Openings of runs that have not ended, and inputs that put waiting work onto devices: until then, work may wait.</summary>
    public int Delays { get; set; }

    /// <summary>The process is gone, and all that was on the devices.</summary>
    public void Clear()
    {
        Running.Clear();
        _answered.Clear();
        Delays = 0;
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

        /// <summary>One of its devices hangs: it ends when the device is taken for lost.</summary>
        public bool IsHung { get; set; }

        public IEnumerable<DeviceId> Uses => Devices.Concat(Next);
    }
}
