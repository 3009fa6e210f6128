using System.Numerics;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Model.Splits;

/// <summary>
/// The split of a replica's model over the devices that the replica has: as much as fits of what the node's settings ask for.
/// </summary>
/// <param name="Stages">Of a pipeline; 1 where each device has the whole network.</param>
/// <param name="Tensor">Devices that share each layer; 1 for none.</param>
/// <param name="Notice">Why it is smaller than what was asked for; null where it is not.</param>
public sealed record SplitInUse(int Stages, int Tensor, string? Notice)
{
    /// <summary>Devices of a group that has the model once.</summary>
    public int Devices => Stages * Tensor;

    /// <summary>The largest one up to what is asked for.</summary>
    /// <param name="devices">Of the replica.</param>
    public static SplitInUse Of(ReplicaSplit asked, int devices, IArchitecture architecture)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        return asked switch
        {
            { IsNone: true } => new SplitInUse(1, 1, null),
            { Pipeline: 1 } => OfTensor(asked, devices, architecture),
            _ => OfPipeline(asked, devices, architecture),
        };
    }

    private static SplitInUse OfTensor(ReplicaSplit asked, int devices, IArchitecture architecture)
    {
        var most = TensorSplit.Most(architecture);
        var tensor = Math.Min(Math.Min(asked.Tensor, most), 1 << BitOperations.Log2((uint)devices));
        if (tensor == asked.Tensor)
            return new SplitInUse(1, tensor, null);
        var why = devices < Math.Min(asked.Tensor, most) ? $"the replica has {Plural.Of(devices, "device")}"
            : most == 1 ? "the network's layers cannot be shared" : $"the network's layers can be shared by {most} devices";
        var what = tensor == 1 ? "no shared layers" : $"layers shared by {tensor} devices";
        return new SplitInUse(1, tensor, $"{what} in place of node.split = {asked}: {why}");
    }

    private static SplitInUse OfPipeline(ReplicaSplit asked, int devices, IArchitecture architecture)
    {
        var most = TapeStage.Most(architecture);
        var stages = Math.Min(asked.Pipeline, Math.Min(devices, most));
        if (stages == asked.Pipeline && asked.Tensor == 1)
            return new SplitInUse(stages, 1, null);
        var why = devices < Math.Min(asked.Pipeline, most) ? $"the replica has {Plural.Of(devices, "device")}"
            : stages == asked.Pipeline ? "the layers of a stage are not shared between devices"
            : $"the network can be cut into {most} stages";
        return new SplitInUse(
            stages, 1, $"{(stages == 1 ? "no pipeline" : $"a pipeline of {stages} stages")} in place of node.split = {asked}: {why}");
    }
}
