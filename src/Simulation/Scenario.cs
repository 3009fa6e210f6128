using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Simulation;

/// <summary>A family of simulated runs: what goes wrong in them. The seed decides the rest: sizes, times, nodes, messages.</summary>
public sealed record Scenario
{
    // Mostly ten seconds; where nodes have failed before, they rest for a minute or two. Where bytes have no way but by chance, a tenth of
    // the runs take longer.
    private static readonly TimeSpan MostByWayOfSeeds = TimeSpan.FromMinutes(4);

    /// <summary>Every scenario there is.</summary>
    public static readonly IReadOnlyList<Scenario> All =
    [
        new()
        {
            Name = "churn",
            Description = "nodes and supervisors come, go, restart and are cut off; messages are lost, delayed, doubled; "
                + "every fourth run reads its corpus while it is built; in some runs several nodes compute a replica together; "
                + "every fourth time workers reach seeds only, and every fourth time devices, over which replicas are split, come, go, "
                + "die and hang all the time",
            AccidentsFor = (seed, seconds) => new Accidents(seconds, Walled: seed % 4 == 3, Devices: seed % 4 == 1),
            Check = world => Invariant.Holds(!world.IsWalled || world.AfterAccidents < MostByWayOfSeeds,
                $"the run took {world.AfterAccidents} after the last accident, where bytes can go by way of a seed"),
        },
        new()
        {
            Name = "single-loss",
            Description = "as churn, but a node is lost only while another one holds what it holds: nothing may be rolled back",
            AccidentsFor = (_, seconds) => new Accidents(seconds, Gentle: true),
            Check = world => Invariant.Holds(
                !world.Supervisor.Journal.Any(e => e is RunEvent.RolledBack),
                "the run was rolled back though a node was left that held all that was committed"),
        },
        new()
        {
            Name = "lost-blobs",
            Description = "as churn, and disks lose blobs",
            AccidentsFor = (_, seconds) => new Accidents(seconds, LosesBlobs: true),
        },
        new()
        {
            Name = "wrong-results",
            Description = "as churn, and one node computes wrong results, or hands over wrong ones, while all is audited",
            AccidentsFor = (seed, seconds) => new Accidents(seconds, Liar: true, HandsOver: seed % 2 == 1),
            AuditRate = 1,
            Check = CheckQuarantine,
        },
        new()
        {
            Name = "changes",
            Description = "as churn, and people change settings in mid-run: replicas, steps, batch, rounds, mixture, learning rate",
            AccidentsFor = (_, seconds) => new Accidents(seconds, Changes: true),
        },
    ];

    public required string Name { get; init; }

    public required string Description { get; init; }

    /// <summary>What goes wrong in the world of a seed, for so many virtual seconds.</summary>
    public required Func<int, double, Accidents> AccidentsFor { get; init; }

    /// <summary>Share of the replicas' rounds that are computed twice.</summary>
    public double AuditRate { get; init; }

    /// <summary>Checks what this scenario expects besides the right answer.</summary>
    public Action<VirtualWorld> Check { get; init; } = _ => { };

    /// <summary>Simulates one run, and checks that it ends with the answer of an undisturbed one.</summary>
    /// <exception cref="InvariantException">The run ends otherwise, hangs, or breaks an invariant on the way.</exception>
    public VirtualWorld Run(int seed)
    {
        var sizes = new Random(seed);
        return Run(seed, sizes.Next(1, 5), sizes.Next(1, 6), 12 * sizes.NextDouble());
    }

    /// <inheritdoc cref="Run(int)"/>
    /// <param name="seconds">How long accidents happen, in virtual time.</param>
    public VirtualWorld Run(int seed, int replicas, int chunks, double seconds)
    {
        var accidents = AccidentsFor(seed, seconds);
        var plan = VirtualRun.PlanOf(replicas, rounds: 5, chunks, accidents.Changes ? 0 : Missing(seed, replicas)) with
        {
            CheckpointEvery = 1 + seed % 2,
            CheckpointsKept = 1 + seed / 2 % 2,
            AuditRate = AuditRate,
            Stages = StagesFor(seed, accidents),
            Streams = !accidents.Changes && seed % 4 == 2,
            TargetLoss = !accidents.Changes && EarlyEnd(seed) is { } version ? VirtualArithmetic.Score(version).LossNats : null,
        };
        var world = new VirtualWorld(seed, plan, accidents);
        world.Run();
        CheckAnswer(world, accidents.Changes ? world.PlanOf(world.Supervisor.Run) : plan with { EndsAt = EarlyEnd(seed) });
        Check(world);
        return world;
    }

    // Every twentieth run has two or three nodes for each replica, where workers reach each other and none lies.
    private static int StagesFor(int seed, Accidents accidents) =>
        seed % 20 == 4 && accidents is { Walled: false, Liar: false, Changes: false } ? seed % 60 == 4 ? 2 : 3 : 1;

    // Every third run ends in the middle of a round, and of a step: of 24 samples a replica's round lacks up to 23.
    private static int Missing(int seed, int replicas) => seed % 3 == 1 ? 1 + seed * 7 % (24 * replicas - 1) : 0;

    // The version whose score is to end the run; most run to the end. Scores fall from version to version, and every second one is scored.
    private static int? EarlyEnd(int seed) => (seed % 7) switch { 3 => 2, 5 => 4, _ => null };

    private static void CheckAnswer(VirtualWorld world, RunPlan plan)
    {
        var (run, expected) = (
            world.Supervisor.Run, VirtualArithmetic.Expected(plan, world.Supervisor.Run.Changes, world.Build.Windows));
        Invariant.Holds(run.Version == expected.Version,
            $"the run ends in version {run.Version?.Short}, an undisturbed one in {expected.Version.Short}");
        Invariant.Holds(run.ChainHead == expected.ChainHead, "the run has the right weights, and the hash chain of another one");
        Invariant.Holds(
            run.TokensSeen == plan.TokensBefore(plan.Rounds),
            $"the run counts {run.TokensSeen} tokens, an undisturbed one {plan.TokensBefore(plan.Rounds)}");
        Invariant.Holds(run.Phase(plan) == RunPhase.Finished, $"the run ends in phase {run.Phase(plan)}");
        var replayed = world.Supervisor.Journal.Aggregate(RunState.Empty(run.Id), Coordination.Run.Apply);
        Invariant.Holds(SnapshotCodec.Write(replayed).AsSpan().SequenceEqual(SnapshotCodec.Write(run)),
            "the journal does not lead to the state that the run is in");
    }

    private static void CheckQuarantine(VirtualWorld world)
    {
        var run = world.Supervisor.Run;
        foreach (var score in world.Supervisor.Journal.OfType<RunEvent.VersionEvaluated>().Select(e => e.Score))
            Invariant.Holds(score == VirtualArithmetic.Score(score.Version), $"version {score.Version} has the score {score.LossNats}");
        foreach (var node in run.Quarantined.Keys)
            Invariant.Holds(world.Nodes.Single(n => n.Id.Value == node).Lies, $"{node} is in quarantine, and computed nothing wrong");
        var settled = world.Supervisor.Journal.OfType<RunEvent.ReplicaSettled>().Select(e => e.Result).ToList();
        Invariant.Holds(!run.Quarantined.IsEmpty || !WrongFromScratch(world.Supervisor.Journal).Any(wrong => settled.Any(
                right => (right.Round, right.Replica) == (wrong.Round, wrong.Replica) && right != wrong)),
            "a dispute was settled against a node that took all steps itself, and no node is in quarantine");
    }

    // Results that another one was preferred to, by nodes that did not go on from a hand-over.
    private static IEnumerable<ReplicaResult> WrongFromScratch(IEnumerable<RunEvent> journal) => journal.Select(e => e switch
    {
        RunEvent.ReplicaComputed { ResumedFrom: null } x => x.Result,
        RunEvent.ReplicaContested { ResumedFrom: null } x => x.Other,
        _ => null,
    }).OfType<ReplicaResult>();
}
