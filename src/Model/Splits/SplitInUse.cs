using System.Numerics;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Model.Splits;

/// <summary>
/// The split of a replica's model over the devices that the replica has: as much as fits of what the node's settings ask for.
/// </summary>
/// <param name="Stages">Stages of a pipeline; 1 where each device has the whole network.</param>
/// <param name="Tensor">Devices that share each layer; 1 for none.</param>
/// <param name="Notice">Why it is smaller than what was asked for; null where it is not.</param>
public sealed record SplitInUse(int Stages, int Tensor, string? Notice)
{
    /// <summary>Pieces of the network that each stage has (<see cref="PipelineSchedule"/>).</summary>
    public int Chunks { get; init; } = 1;

    /// <summary>Devices of a group that has the model once.</summary>
    public int Devices => Stages * Tensor;

    /// <summary>The largest one up to what is asked for; of equal ones the one that shares more, in which nobody waits.</summary>
    /// <param name="devices">Devices of the replica.</param>
    public static SplitInUse Of(ReplicaSplit asked, int devices, IArchitecture architecture)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        return Of(asked, devices, MostOf(asked, architecture));
    }

    // What the network can be divided into, which is found by recording it.
    private static (int Ranks, int Pieces) MostOf(ReplicaSplit asked, IArchitecture architecture) =>
        (asked.Tensor == 1 ? 1 : Math.Min(asked.Tensor, TensorSplit.Most(architecture)),
            asked.Pipeline == 1 ? 1 : TapeStage.Most(architecture));

    private static SplitInUse Of(ReplicaSplit asked, int devices, (int Ranks, int Pieces) most)
    {
        var (ranks, pieces) = most;
        var stages = Math.Min(asked.Pipeline, pieces);
        var (tensor, pipeline) = Enumerable.Range(0, BitOperations.Log2((uint)Math.Min(ranks, devices)) + 1).Select(i => 1 << i)
            .Select(t => (Tensor: t, Stages: Math.Min(stages, devices / t))).MaxBy(s => (s.Tensor * s.Stages, s.Tensor));
        var inUse = new ReplicaSplit(tensor, pipeline, pipeline == 1 ? 1 : Math.Min(asked.Chunks, pieces / pipeline));
        return new SplitInUse(pipeline, tensor, inUse == asked ? null
            : $"{TextOf(asked, inUse)} in place of node.split = {asked}: {Why(asked, devices, stages, ranks, pieces)}")
        {
            Chunks = inUse.Chunks,
        };
    }

    /// <summary>
    /// How many devices have the model once between them, where a replica has one device, two, and so on up to what is asked: ascending.
    /// </summary>
    public static IReadOnlyList<int> GroupSizes(ReplicaSplit asked, IArchitecture architecture)
    {
        var most = MostOf(asked, architecture);
        return [.. Enumerable.Range(1, asked.Devices).Select(devices => Of(asked, devices, most).Devices).Distinct().Order()];
    }

    private static string TextOf(ReplicaSplit asked, ReplicaSplit inUse)
    {
        var (tensor, stages, each) = (inUse.Tensor, inUse.Pipeline, inUse.Chunks == 1 ? "" : $" of {inUse.Chunks} pieces each");
        return (stages, tensor) switch
        {
            (1, 1) => asked.Pipeline == 1 ? "no shared layers" : asked.Tensor == 1 ? "no pipeline" : "no split",
            (1, _) => $"layers shared by {tensor} devices",
            (_, 1) => $"a pipeline of {stages} stages{each}",
            _ => $"a pipeline of {stages} stages{each}, each on {tensor} devices",
        };
    }

    // The devices, or what the network has.
    private static string Why(ReplicaSplit asked, int devices, int stages, int ranks, int pieces)
    {
        if (devices < stages * ranks)
            return $"the replica has {Plural.Of(devices, "device")}";
        var layers = ranks == asked.Tensor ? null
            : ranks == 1 ? "the network's layers cannot be shared" : $"the network's layers can be shared by {ranks} devices";
        var cuts = pieces >= asked.Pipeline * asked.Chunks ? null
            : $"the network can be cut into {pieces} {(asked.Chunks == 1 ? "stages" : "pieces")}";
        return string.Join(", and ", new[] { layers, cuts }.OfType<string>());
    }
}
