using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Model.Splits;

/// <summary>The split of a replica's model over the devices that the replica has: as much as fits of what the node's settings ask for.</summary>
/// <param name="Stages">Of a pipeline; 1 where each device has the whole network.</param>
/// <param name="Notice">Why it is smaller than what was asked for; null where it is not.</param>
public sealed record SplitInUse(int Stages, string? Notice)
{
    /// <summary>The largest one up to what is asked for.</summary>
    /// <param name="devices">Of the replica.</param>
    public static SplitInUse Of(ReplicaSplit asked, int devices, IArchitecture architecture)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        if (asked.Pipeline == 1)
            return new SplitInUse(1, null);
        var most = TapeStage.Most(architecture);
        var stages = Math.Min(asked.Pipeline, Math.Min(devices, most));
        if (stages == asked.Pipeline)
            return new SplitInUse(stages, null);
        var why = devices < Math.Min(asked.Pipeline, most) ? $"the replica has {devices} {(devices == 1 ? "device" : "devices")}"
            : $"the network can be cut into {most} stages";
        return new SplitInUse(
            stages, $"{(stages == 1 ? "no pipeline" : $"a pipeline of {stages} stages")} in place of node.split = {asked}: {why}");
    }
}
