using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Who computes a stage of a replica.</summary>
/// <param name="Endpoint">The node's endpoint on the data plane, "host:port".</param>
public sealed record StagePlace(NodeId Node, string Endpoint) : IWireMessage;

/// <summary>
/// Take the H inner steps of one stage of a replica, together with the nodes of its other stages, all at once. Its executor gives the first
/// stage's node what this stage owns, and ends without an outcome when that node has stored all of it, or when the order is dropped. Told
/// to stop, whichever stage it is, it has all stages hand over at one step boundary. Where another stage is lost, it ends the attempt and
/// answers with <see cref="StageLost"/>.
/// </summary>
/// <param name="Replica">The order of the first stage's node, with the places of all.</param>
/// <param name="Stage">From 1 on.</param>
public sealed record ComputeStage(Compute Replica, int Stage) : WorkContent;

/// <summary>
/// The attempt is over because another of its stages is gone, or has not answered within its deadline; nothing is wrong here. Answered by
/// whichever stage notices, the first one included.
/// </summary>
/// <param name="Stage">Number of the stage that is gone, or has not answered.</param>
/// <param name="Why">E.g. "stage 1 of 2 on 10.0.0.7:4080 did not send the gradients of micro-batch 3 within 74 s".</param>
public sealed record StageLost(int Stage, string Why) : WorkOutcome;

/// <inheritdoc cref="ComputeStage"/>
public sealed class ComputeStageWork : WorkKind
{
    public static readonly ComputeStageWork Kind = new();

    public override string Name => "compute-stage";

    public override bool OccupiesDevices => true;

    /// <summary>The key of a stage's work; that of the first stage is the replica's.</summary>
    public static WorkKey KeyOf(int round, int replica, int stage) =>
        stage == 0 ? ComputeWork.KeyOf(round, replica) : new(Kind.Name, round, replica * RunSettings.MostStages + stage);

    /// <summary>The replica of a stage's key.</summary>
    public static int ReplicaOf(WorkKey key) => key.Index / RunSettings.MostStages;

    /// <summary>The number of the stage that a key is about; 0 for that of a replica.</summary>
    public static int StageOf(WorkKey key) => key.Kind == Kind.Name ? key.Index % RunSettings.MostStages : 0;

    /// <summary>Gives nothing: <see cref="ComputeWork"/> gives out all stages of a replica together.</summary>
    public override void GiveOut(Scheduling scheduling)
    {
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) =>
        key.Number != run.Round || run.Round >= plan.Rounds || Computations.IsSettled(run, plan, ReplicaOf(key));

    /// <summary>The first stage's node answers for the replica, so this kind has no outcome of its own.</summary>
    public override Decision Decide(RunState run, RunPlan plan, WorkResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return Foreign(result.Outcome);
    }

    public override IEnumerable<Digest> Needs(WorkContent content) => content is ComputeStage c ? ComputeWork.Kind.Needs(c.Replica) : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => [];
}
