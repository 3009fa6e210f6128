using System.Collections.Concurrent;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Splits;

namespace Elastic.Actors.Nodes;

/// <summary>
/// How the model of a run's replicas is split over the devices that they have on this node. Which layers a network has no segment of the
/// run changes; to find it out takes a forward pass without numbers, once for each count of devices. Thread-safe.
/// </summary>
/// <param name="asked">As <c>node.split</c>.</param>
internal sealed class RunSplits(ReplicaSplit asked, IArchitecture architecture)
{
    private readonly ConcurrentDictionary<int, SplitInUse> _known = new();

    /// <summary>How a replica's model is to be split over its devices.</summary>
    public ReplicaSplit Asked => asked;

    /// <inheritdoc cref="SplitInUse.GroupSizes"/>
    public IReadOnlyList<int> GroupSizes { get; } = SplitInUse.GroupSizes(asked, architecture);

    /// <summary>How much of what is asked is in use.</summary>
    /// <param name="devices">Devices that the replica has.</param>
    public SplitInUse Over(int devices) => _known.GetOrAdd(devices, count => SplitInUse.Of(asked, count, architecture));
}
