using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>What a node knows of a run.</summary>
internal sealed class OpenedRun(RunId id)
{
    private OrderId _newest;

    public RunId Id => id;

    public JobKind Kind { get; set; }

    /// <summary>Openings that have not ended yet.</summary>
    public int Openings { get; set; }

    public bool IsOpen { get; set; }

    /// <summary>Why the last opening failed; null where none has.</summary>
    public string? WhyNot { get; set; }

    /// <summary>Orders and commands that wait for the run to be open.</summary>
    public List<object> Held { get; } = [];

    /// <summary>Devices that a replica may have.</summary>
    public int MostDevices { get; set; } = 1;

    /// <summary>What a step of a replica can be divided into.</summary>
    public int MicroBatches { get; set; } = int.MaxValue;

    /// <summary>How a replica's model is split over devices.</summary>
    public DeviceGroups Groups { get; set; } = DeviceGroups.OfOne;

    public int Priority { get; set; }

    /// <summary>The beat at which its work last ended on a device; null where none has.</summary>
    public int? Used { get; set; }

    /// <summary>Why the run does not want this node's work; null where it does.</summary>
    public string? Excluded { get; set; }

    public bool IsStopping { get; set; }

    /// <summary>The beat at which the supervisor last said that the node may go; null where it has not.</summary>
    public int? Released { get; set; }

    /// <summary>
    /// How many of a node's devices a replica can use: a CPU device without a micro-batch lends its threads, a GPU without one would only
    /// wait.
    /// </summary>
    public int MostOf(IReadOnlyList<DeviceId> devices) =>
        devices.All(d => d.IsCpu) ? MostDevices : Math.Min(MostDevices, MicroBatches);

    /// <summary>Begins to count anew where the supervisor's database was put back to an older state, with older terms.</summary>
    public void BeginAt(OrderId opening) => _newest = _newest.IsAfter(opening) ? opening : _newest;

    /// <summary>True, and noted, when nothing newer has been ordered. Only that says which round the run is in.</summary>
    public bool IsNewest(OrderId order)
    {
        if (_newest.IsAfter(order))
            return false;
        _newest = order;
        return true;
    }
}
