using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Fetch the missing ones of these chunks, and store the version's manifest.</summary>
/// <param name="Chunks">In chunk order. The chunks of a large model come in several messages.</param>
/// <param name="FrozenOf">The version whose frozen parameters the next one has, too; null where all are trained.</param>
public sealed record Assemble(int Round, AveragedChunk[] Chunks, Digest? FrozenOf = null) : WorkContent;

/// <summary>The node has every chunk of the version and its manifest.</summary>
public sealed record Assembled(int Round, Digest Version) : WorkOutcome;

/// <inheritdoc cref="Assemble"/>
public sealed class AssembleWork : WorkKind
{
    public static readonly AssembleWork Kind = new();

    public override string Name => "assemble";

    public override bool NeedsDevice => false;

    public override bool IsOfResults => true;

    public static WorkKey KeyOf(int round) => new(Kind.Name, round);

    public override void GiveOut(Scheduling scheduling)
    {
        var run = scheduling.Run;
        if (run.Phase(scheduling.Plan) != RunPhase.Assembling)
            return;
        var (key, view) = (KeyOf(run.Round), scheduling.View);
        // While bytes go by way of seeds, a seed comes first.
        var seeds = view.Staying.Where(n => view.Nodes[n].Seed).ToList();
        var reaching = view.Relays && seeds.Count > 0 && !seeds.Any(view.Assembled.Contains) ? seeds : view.Staying;
        foreach (var node in reaching.Where(n => !view.Assembled.Contains(n)).ToList())
            if (!view.InFlight.ContainsKey(new InFlightWork(key, node)))
                scheduling.Give(key, node, new Assemble(run.Round, [.. run.Averaged.Values], run.Frozen is null ? null : run.Version));
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) =>
        key.Number != run.Round || run.Round >= plan.Rounds;

    // Stores nothing: which nodes hold the version is kept in the view, by RunCoordinator.
    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) =>
        result.Outcome is Assembled ? Decision.AlreadyDone : Foreign(result.Outcome);

    public override IEnumerable<Digest> Needs(WorkContent content) =>
        content is Assemble c ? c.Chunks.SelectMany(chunk => chunk.Blobs()).Concat(c.FrozenOf is { } version ? [version] : []) : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => outcome is Assembled c ? [c.Version] : [];

    public override IEnumerable<(WorkContent Content, Part Part)> Cut(WorkContent content, int mostDigests) =>
        Part.Cut(((Assemble)content).Chunks, mostDigests / 2)         // a chunk may have two: parameters and momentum
            .Select(p => ((WorkContent)((Assemble)content with { Chunks = p.Items }), p.Part));

    public override WorkContent Join(IReadOnlyList<WorkContent> parts) =>
        (Assemble)parts[0] with { Chunks = [.. parts.Cast<Assemble>().SelectMany(p => p.Chunks)] };
}
