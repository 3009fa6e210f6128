using Elastic.Coordination;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>What work on devices computes of a replica: all of it, or one stage.</summary>
internal static class ReplicaOrder
{
    /// <summary>The replica; null for work that computes none.</summary>
    public static Compute? ReplicaOf(WorkContent work) => work switch
    {
        Compute whole => whole,
        ComputeStage stage => stage.Replica,
        _ => null,
    };

    /// <summary>The number of the stage, where the replica has several.</summary>
    public static int StageOf(WorkContent work) => (work as ComputeStage)?.Stage ?? 0;

    /// <summary>True where several nodes compute the replica, a stage each.</summary>
    public static bool IsInStages(this Compute replica) => replica.Stages.Length > 1;
}
