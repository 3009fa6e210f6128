namespace Elastic.Messages.Nodes;

/// <summary>
/// How many devices have a model once between them, where a node splits it, and what follows from it for the replicas that share the
/// node's devices: who gives them out and who plans their memory ask the same.
/// </summary>
/// <param name="sizes">Ascending from 1; of more devices than the last one there are several groups of that size.</param>
public sealed class DeviceGroups(IReadOnlyList<int> sizes)
{
    /// <summary>Each device has the whole model.</summary>
    public static DeviceGroups OfOne { get; } = new([1]);

    /// <summary>
    /// How many devices the first of some replicas gets, so that as many as can be work in groups, and none of the replicas has fewer that
    /// work than it would have of an even share: 4 and 2 of 6 for groups of 2 or 4, where 3 and 3 would leave two with nothing to do.
    /// </summary>
    /// <param name="free">Devices that there are for all of them.</param>
    /// <param name="replicas">At least 1.</param>
    /// <param name="most">Devices that a replica can use.</param>
    public int ShareOf(int free, int replicas, int most)
    {
        var share = Math.Clamp(free / replicas, 1, most);
        if (replicas == 1 || sizes is [1])
            return share;
        var least = Working(share);
        var larger = Working(Math.Min(most, free - (replicas - 1) * least));
        return larger > least ? larger : share;
    }

    /// <summary>What each of some replicas gets that begin one after another on devices of their own, at least one.</summary>
    /// <param name="devices">No fewer than replicas.</param>
    /// <inheritdoc cref="ShareOf" path="/param"/>
    public IReadOnlyList<int> SharesOf(int devices, int replicas, int most)
    {
        var shares = new List<int>(replicas);
        for (var free = devices; shares.Count < replicas; free -= shares[^1])
            shares.Add(ShareOf(free, replicas - shares.Count, most));
        return shares;
    }

    /// <summary>How many more devices it takes before more of a replica's work.</summary>
    /// <param name="devices">Devices that the replica has.</param>
    public int UntilMoreWork(int devices)
    {
        var working = Working(devices);
        return (working >= sizes[^1] ? working + sizes[^1] : sizes.First(s => s > working)) - devices;
    }

    // Of so many devices, those that are in whole groups.
    private int Working(int devices) => devices >= sizes[^1] ? devices / sizes[^1] * sizes[^1] : sizes.Last(s => s <= Math.Max(devices, 1));
}
