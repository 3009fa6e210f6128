using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Sum these chunks over the contributions (in replica order) and take the outer step from <paramref name="Version"/>.</summary>
/// <param name="Changes">The settings that have changed, see <see cref="Segment.Changes"/>: the outer step's may be among them.</param>
public sealed record Average(int Round, int[] Chunks, Digest Version, Digest[] Contributions, string Changes = "") : WorkContent;

/// <summary>Chunks of the next version.</summary>
/// <param name="Inputs">Digest of what was summed (<see cref="AveragedChunk.Inputs"/>).</param>
public sealed record Averaged(int Round, Digest Inputs, AveragedChunk[] Chunks) : WorkOutcome;

/// <inheritdoc cref="Average"/>
public sealed class AverageWork : WorkKind
{
    public static readonly AverageWork Kind = new();

    /// <summary>Chunks that are averaged as one piece of work. Fixed, so that a piece of work has the same key on every node.</summary>
    public const int ChunksTogether = 2;

    public override string Name => "average";

    public override bool IsOfResults => true;

    public override bool IsAudited(RunState run, RunPlan plan, WorkKey key) =>
        plan.AuditsSums(run.AuditSecret, key.Number, key.Index);

    public override string BytesOf(WorkOutcome outcome) =>
        outcome is Averaged c ? string.Join(' ', c.Chunks.SelectMany(chunk => chunk.Blobs()).Prepend(c.Inputs)) : "";

    public static WorkKey KeyOf(int round, int firstChunk) => new(Kind.Name, round, firstChunk);

    public override void GiveOut(Scheduling scheduling)
    {
        var (run, plan) = (scheduling.Run, scheduling.Plan);
        if (run.Phase(plan) != RunPhase.Averaging
            || Computations.Wanted(run, scheduling.View, plan, scheduling.Stragglers).Any(w => w.Needed))
            return;
        Digest[] contributions = [.. run.Finished.Values.Select(r => r.Contribution)];
        foreach (var chunks in Enumerable.Range(0, plan.Chunks).Chunk(ChunksTogether).Where(g => !g.All(run.Averaged.ContainsKey)))
            scheduling.Once(
                KeyOf(run.Round, chunks[0]), scheduling.View.Workers,
                new Average(run.Round, chunks, run.Version!.Value, contributions, plan.At(run.Round).Changes));
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) =>
        key.Number != run.Round || run.Round >= plan.Rounds
        || Enumerable.Range(key.Index, Math.Clamp(plan.Chunks - key.Index, 0, ChunksTogether)).All(run.Averaged.ContainsKey);

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) => result.Outcome switch
    {
        Averaged c when c.Round < run.Round => Decision.AlreadyDone,
        Averaged c when c.Round > run.Round => Run.WrongRound(run, c.Round),
        // sums of results that were replaced since
        Averaged c when run.Finished.Count == plan.ReplicasAt(run.Round) && c.Inputs != run.AveragingInputs() => Decision.AlreadyDone,
        Averaged c when c.Chunks.FirstOrDefault(run.Contradicts) is { } other =>
            Decision.Refuse($"chunk {other.Chunk} was averaged before, to other bytes " +
                            $"({run.Averaged[other.Chunk].Parameters.Short}, now {other.Parameters.Short}): check memory and disks"),
        Averaged c when c.Chunks.All(run.Has) => Decision.AlreadyDone,
        Averaged when run.Quorums.Values.Any(b => b.IsDisputed) =>
            Decision.Refuse("a replica's result is disputed: nothing can be averaged yet"),
        Averaged when run.Finished.Count < plan.ReplicasAt(run.Round) =>
            Decision.Refuse($"only {run.Finished.Count} of {plan.ReplicasAt(run.Round)} replicas are in: nothing can be averaged yet"),
        Averaged c when c.Chunks.Any(chunk => chunk.Chunk < 0 || chunk.Chunk >= plan.Chunks) =>
            Decision.Refuse($"the model has {plan.Chunks} chunks"),
        Averaged c => Decision.Store(new RunEvent.ChunksAveraged(run.Id, c.Round, [.. c.Chunks.Where(chunk => !run.Has(chunk))])),
        var other => Foreign(other),
    };

    public override IEnumerable<Digest> Needs(WorkContent content) => content is Average c ? [c.Version, .. c.Contributions] : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) =>
        outcome is Averaged c ? c.Chunks.SelectMany(chunk => chunk.Blobs()) : [];
}
