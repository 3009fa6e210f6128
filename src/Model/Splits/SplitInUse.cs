using System.Numerics;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Model.Splits;

/// <summary>
/// The split of a replica's model over the devices that the replica has: as much as fits of what the node's settings ask for.
/// </summary>
/// <param name="Tensor">Devices that share each layer; 1 for none.</param>
/// <param name="Stages">Of a pipeline; 1 for none.</param>
/// <param name="Notice">Why it is smaller than what was asked for; null where it is not.</param>
public sealed record SplitInUse(int Tensor, int Stages, string? Notice)
{
    /// <summary>Each device has the whole network.</summary>
    public static SplitInUse None { get; } = new(1, 1, null);

    /// <summary>Devices of a group that computes micro-batches together.</summary>
    public int Devices => Tensor * Stages;

    /// <summary>Refuses what devices cannot do together.</summary>
    /// <exception cref="ElasticException">It is so; names the setting.</exception>
    public static void Check(ReplicaSplit asked)
    {
        if (asked is { Tensor: > 1, Pipeline: > 1 })
            throw new ElasticException(
                $"node.split = {asked}: a stage of a pipeline is one device, not a tensor group; use tensor:{asked.Tensor} or "
                + $"pipeline:{asked.Pipeline}");
    }

    /// <summary>The largest one up to what is asked for.</summary>
    /// <param name="devices">Of the replica.</param>
    /// <exception cref="ElasticException">It is asked for what devices cannot do together.</exception>
    public static SplitInUse Of(ReplicaSplit asked, int devices, IArchitecture architecture)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        Check(asked);
        if (asked.IsNone)
            return None;
        var isTensor = asked.Tensor > 1;
        var (wanted, most) = isTensor ? (asked.Tensor, TensorSplit.Most(architecture)) : (asked.Pipeline, TapeStage.Most(architecture));
        var fits = Math.Min(wanted, Math.Min(devices, most));
        if (isTensor)
            fits = 1 << BitOperations.Log2((uint)fits);
        if (fits == wanted)
            return isTensor ? new SplitInUse(fits, 1, null) : new SplitInUse(1, fits, null);
        var why = devices < Math.Min(wanted, most) ? $"the replica has {devices} {(devices == 1 ? "device" : "devices")}"
            : isTensor ? $"{most} can share the layers of this network" : $"the network can be cut into {most} stages";
        return isTensor
            ? new SplitInUse(fits, 1, $"{(fits == 1 ? "no tensor group" : $"tensor:{fits}")} in place of node.split = {asked}: {why}")
            : new SplitInUse(
                1, fits, $"{(fits == 1 ? "no pipeline" : $"a pipeline of {fits} stages")} in place of node.split = {asked}: {why}");
    }
}
