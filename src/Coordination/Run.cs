using System.Collections.Immutable;
using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using static Elastic.Messages.Runs.RunCommand;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

// The life of one training run, decided without clocks, actors or I/O. RunSupervisor stores what is decided here,
// and Dispatch says who does what next.
//
//   Waiting --- version 0 ---> Computing --- all replicas in ---> Averaging --- all chunks in ---> Assembling
//                                  ^------------------- committed, rounds left -----------------------'
//                                                          last round scored and durable -> Finished
public static class Run
{
    public static Decision Decide(RunState run, RunCommand command, RunPlan? plan) => command switch
    {
        Start c when Unusable(c) is { } why => Decision.Refuse($"run {c.RunId} cannot be started: {why}"),
        Start c when !run.Exists => Decision.Store(
            [new RunStarted(c.RunId, c.Settings, c.Elements, c.Corpus, c.Blocks, c.HeldOutBlocks, c.Arithmetic), .. Published(run, c)]),
        Start c => Reopen(run, c),
        _ when !run.Exists || plan is null => Decision.Refuse($"there is no run {run.Id}: start it first"),
        _ => Decide(run, plan, command),
    };

    private static Decision Decide(RunState run, RunPlan plan, RunCommand command) => command switch
    {
        Pause when run.IsPaused || run.IsFinished => Decision.AlreadyDone,
        Pause => Decision.Store(new RunPaused(run.Id)),

        ChooseArithmetic when run.Arithmetic.Length > 0 => Decision.AlreadyDone,
        ChooseArithmetic c => Decision.Store(new ArithmeticChosen(run.Id, c.Arithmetic)),

        FinishInitialization c when run.Version == c.Version || run.Round > 0 => Decision.AlreadyDone,
        FinishInitialization c when run.Version is { } other => Decision.Refuse($"version 0 is {other.Short}, not {c.Version.Short}"),
        FinishInitialization c => Decision.Store(new RunInitialized(run.Id, c.Version, c.Fingerprint)),

        FinishReplica { Result: var r } when r.Round < run.Round => Decision.AlreadyDone,
        FinishReplica { Result: var r } when r.Round > run.Round => WrongRound(run, r.Round),
        FinishReplica { Result: var r } when r.Round >= plan.Rounds => Decision.Refuse($"all {plan.Rounds} rounds are committed: there is no round {r.Round}"),
        FinishReplica { Result: var r } when r.Replica < 0 || r.Replica >= plan.Replicas => NoSuchReplica(plan, r.Replica),
        FinishReplica { Result: var r } when r.Tokens != plan.TokensPerReplica =>
            Decision.Refuse($"replica {r.Replica} counts {r.Tokens} tokens where the round has {plan.TokensPerReplica}"),
        FinishReplica c => Ballot.Decide(run, c.Node, c.Result),

        HandOverReplica { HandOver: var h } when h.Round < run.Round || run.Finished.ContainsKey(h.Replica) => Decision.AlreadyDone,
        HandOverReplica { HandOver: var h } when h.Round > run.Round => WrongRound(run, h.Round),
        HandOverReplica { HandOver: var h } when h.Replica < 0 || h.Replica >= plan.Replicas => NoSuchReplica(plan, h.Replica),
        HandOverReplica { HandOver: var h } when h.Step < 0 || h.Step >= plan.InnerSteps =>
            Decision.Refuse($"replica {h.Replica} stopped after step {h.Step} where the round has {plan.InnerSteps}"),
        HandOverReplica { HandOver: var h } when run.HandedOver.TryGetValue(h.Replica, out var stored) && stored.Step >= h.Step => Decision.AlreadyDone,
        HandOverReplica { HandOver: var h } => Decision.Store(new ReplicaHandedOver(run.Id, h)),

        FinishChunks c when c.Round < run.Round => Decision.AlreadyDone,
        FinishChunks c when c.Round > run.Round => WrongRound(run, c.Round),
        FinishChunks c when run.IsQuarantined(c.Node) => Decision.Refuse($"{c.Node} is in quarantine"),
        FinishChunks c when run.Finished.Count == plan.Replicas && c.Inputs != run.AveragingInputs() => Decision.AlreadyDone,   // a sum of results that were replaced since
        FinishChunks c when c.Chunks.FirstOrDefault(run.Contradicts) is { } other =>
            Decision.Refuse($"chunk {other.Chunk} was averaged before, to other bytes ({run.Averaged[other.Chunk].Parameters.Short}, now {other.Parameters.Short}): " +
                            "check memory and disks"),
        FinishChunks c when c.Chunks.All(run.Has) => Decision.AlreadyDone,
        FinishChunks when run.Ballots.Values.Any(b => b.IsDisputed) => Decision.Refuse("a replica's result is disputed: nothing can be averaged yet"),
        FinishChunks when run.Finished.Count < plan.Replicas =>
            Decision.Refuse($"only {run.Finished.Count} of {plan.Replicas} replicas are in: nothing can be averaged yet"),
        FinishChunks c when c.Chunks.Any(chunk => chunk.Chunk < 0 || chunk.Chunk >= plan.Chunks) =>
            Decision.Refuse($"the model has {plan.Chunks} chunks"),
        FinishChunks c => Decision.Store(new ChunksAveraged(run.Id, c.Round, [.. c.Chunks.Where(chunk => !run.Has(chunk))])),

        CommitRound c when c.Round < run.Round => Decision.AlreadyDone,
        CommitRound c when c.Round > run.Round => WrongRound(run, c.Round),
        CommitRound when run.Ballots.Values.Any(b => b.IsDisputed) => Decision.Refuse("a replica's result is disputed"),
        CommitRound when run.Finished.Count < plan.Replicas =>
            Decision.Refuse($"only {run.Finished.Count} of {plan.Replicas} replicas are in"),   // one was lost after the chunks were averaged
        CommitRound when run.Averaged.Count < plan.Chunks => Decision.Refuse($"only {run.Averaged.Count} of {plan.Chunks} chunks are averaged"),
        CommitRound c when c.Version != run.NextVersion(plan).Digest =>
            Decision.Refuse($"version {c.Version.Short} is of results that do not count any more"),   // one was found wrong while the commit was on its way
        CommitRound c when c.Holders < Math.Min(2, c.Nodes) || c.Holders < 1 =>
            Decision.Refuse($"{c.Holders} of {c.Nodes} nodes hold the version: too few to survive the loss of one"),
        CommitRound c => Decision.Store(new RoundCommitted(
            run.Id, c.Round, c.Version, c.Fingerprint, run.TokensSeen + plan.TokensPerRound,
            Ledger.Append(run.Ledger, run.Finished.Values.Select(Ledger.Of), c.Version))),

        FinishEvaluation c when c.Score.Version != run.Round || run.Score?.Version == c.Score.Version => Decision.AlreadyDone,
        FinishEvaluation c => FinishIfDone(run, plan, new VersionEvaluated(run.Id, c.Score)),

        FinishCheckpoint c when c.Checkpoint.Version < run.Round || run.Checkpoints.Any(stored => stored.Version == c.Checkpoint.Version) =>
            Decision.AlreadyDone,                                    // an older one may have been dropped since, and its blobs with it
        FinishCheckpoint c when c.Checkpoint.Version > run.Round => WrongRound(run, c.Checkpoint.Version),
        FinishCheckpoint c => FinishIfDone(run, plan, new CheckpointTaken(run.Id, c.Checkpoint), [.. Outdated(run, plan)]),

        FinishSurvey c => Survey.Decide(run, c.Asked.ToHashSet(), c.Intact.ToHashSet()),
        LoseWork c when c.Round != run.Round => Decision.AlreadyDone,
        LoseWork c when c.Replicas.Where(r => run.Finished.ContainsKey(r) || run.HandedOver.ContainsKey(r)).ToArray() is { Length: > 0 } lost =>
            Decision.Store(new WorkLost(run.Id, run.Round, lost, !run.Averaged.IsEmpty, c.Why)),
        LoseWork => Decision.AlreadyDone,
        _ => throw new UnreachableException($"undecided: {command}"),
    };

    // No plan and no clock: today's journal must fold to the same state under tomorrow's configuration.
    public static RunState Apply(RunState run, RunEvent e) => e switch
    {
        RunStarted x => run with
        {
            Settings = x.Settings,
            Elements = x.Elements,
            Corpus = x.Corpus,
            Blocks = x.Blocks,
            HeldOutBlocks = x.HeldOutBlocks,
            Arithmetic = x.Arithmetic,
        },
        CorpusPublished x => run with { Manifest = x.Manifest },
        SettingsChanged x => run with { Settings = x.Settings },
        ArithmeticChosen x => run with { Arithmetic = x.Arithmetic },
        RunPaused => run with { IsPaused = true },
        RunResumed => run with { IsPaused = false },
        RunInitialized x => run with { Version = x.Version, Fingerprint = x.Fingerprint },
        ReplicaHandedOver x => run with { HandedOver = run.HandedOver.SetItem(x.HandOver.Replica, x.HandOver) },
        ReplicaComputed x => Finish(run, x.Result, x.Node),
        ReplicaConfirmed x => run with { Ballots = Voted(run, x.Result, x.Node) },
        ReplicaContested x => run with { Ballots = Voted(run, x.Other, x.Node) },
        ReplicaSettled x => run with { Finished = run.Finished.SetItem(x.Result.Replica, x.Result), Ballots = Voted(run, x.Result, x.Node) },
        NodeQuarantined x => run with { Quarantined = run.Quarantined.SetItem(x.Node.Value, x.Why) },
        ChunksAveraged x => run with { Averaged = run.Averaged.SetItems(x.Chunks.Select(c => KeyValuePair.Create(c.Chunk, c))) },
        RoundCommitted x => NextRound(run, x),
        VersionEvaluated x => run with { Score = x.Score },
        CheckpointTaken x => run with { Checkpoints = run.Checkpoints.Add(x.Checkpoint) },
        CheckpointDropped x => run with { Checkpoints = run.Checkpoints.RemoveAll(c => c.Version == x.Version) },
        WorkLost x => run with
        {
            Finished = run.Finished.RemoveRange(x.Replicas),
            HandedOver = run.HandedOver.RemoveRange(x.Replicas),
            Ballots = run.Ballots.RemoveRange(x.Replicas),
            Averaged = x.Chunks ? run.Averaged.Clear() : run.Averaged,
        },
        RolledBack x => RollBack(run, x.From),
        RunFinished => run with { IsFinished = true },
        _ => throw new UnreachableException($"unknown event: {e}"),
    };

    private static RunState Finish(RunState run, ReplicaResult result, NodeId node) => run with
    {
        Finished = run.Finished.SetItem(result.Replica, result),
        HandedOver = run.HandedOver.Remove(result.Replica),
        Ballots = Voted(run, result, node),
    };

    private static ImmutableSortedDictionary<int, Ballot> Voted(RunState run, ReplicaResult result, NodeId node) =>
        run.Ballots.SetItem(result.Replica, run.BallotOf(result.Replica).With(node, result));

    private static RunState NextRound(RunState run, RoundCommitted x) => run with
    {
        Round = x.Round + 1,
        Version = x.Version,
        Fingerprint = x.Fingerprint,
        TokensSeen = x.TokensSeen,
        Ledger = x.Ledger,
        InnerStates = [.. run.Finished.Values.Select(r => r.InnerState)],
        TrainLossNats = run.Finished.Values.Average(r => r.LossNats),
        Finished = run.Finished.Clear(),
        HandedOver = run.HandedOver.Clear(),
        Averaged = run.Averaged.Clear(),
        Ballots = run.Ballots.Clear(),
    };

    private static RunState RollBack(RunState run, Checkpoint? from) => run with
    {
        Round = from?.Version ?? 0,
        Version = from?.Parameters,
        Fingerprint = from?.Fingerprint ?? default,
        TokensSeen = from?.TokensSeen ?? 0,
        Ledger = from?.Ledger ?? Ledger.Empty,
        InnerStates = from is null ? [] : [.. from.InnerStates],
        Checkpoints = run.Checkpoints.RemoveAll(c => c.Version > (from?.Version ?? 0)),
        Score = run.Score is { } score && score.Version > (from?.Version ?? 0) ? null : run.Score,
        Finished = run.Finished.Clear(),
        HandedOver = run.HandedOver.Clear(),
        Averaged = run.Averaged.Clear(),
        Ballots = run.Ballots.Clear(),
        IsFinished = false,
    };

    // What is stored is folded by every later recovery: settings that cannot be read must not get into the journal.
    private static string? Unusable(Start c)
    {
        try
        {
            var settings = SettingsText.Read(c.Settings);
            if (settings.Problems().FirstOrDefault() is { } problem)
                return problem;
            if (c.Elements < 1)
                return $"its model has {c.Elements} parameters";
            if (c.Blocks < 1)
                return "its corpus has no training block: add text, or set model.context lower";
            _ = RunPlan.Of(settings, c.Elements, c.Blocks, c.HeldOutBlocks);
            return null;
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
        catch (OverflowException)
        {
            return "it has more rounds than can be counted: use fewer run.epochs, or more run.inner-steps";
        }
    }

    private static Decision Reopen(RunState run, Start c)
    {
        if (c.Corpus != run.Corpus)
            return Decision.Refuse($"run {run.Id} was started on another corpus ({run.Corpus.Short}, now {c.Corpus.Short}): " +
                                   "put the corpus back, or start a new run with --run NAME");
        var differences = SettingsDifference.Between(SettingsText.Read(run.Settings!), SettingsText.Read(c.Settings));
        if (differences.Count > 0)
            return Decision.Refuse($"run {run.Id} was started with other settings ({string.Join("; ", differences)}): " +
                                   "put them back to go on with it, or start a new run with --run NAME");
        // Said by a process that has devices of its own. Where it says nothing, each node's is compared when it comes.
        if (c.Arithmetic.Length > 0 && run.Arithmetic.Length > 0 && c.Arithmetic != run.Arithmetic)
            return Decision.Refuse($"run {run.Id} began with {OtherArithmetic(run.Arithmetic, c.Arithmetic)}: " +
                                   "go on where the arithmetic is the same, or start a new run from its checkpoint with --run NAME --set model.init=PATH");
        List<RunEvent> events = [.. Published(run, c)];
        if (c.Settings != run.Settings)
            events.Add(new SettingsChanged(run.Id, c.Settings));
        if (run.IsPaused)
            events.Add(new RunResumed(run.Id));
        return Decision.Store([.. events]);
    }

    private static IEnumerable<RunEvent> Published(RunState run, Start c) =>
        c.Manifest is { } manifest && manifest != run.Manifest ? [new CorpusPublished(c.RunId, manifest)] : [];

    /// <summary>Why results of one arithmetic must not be mixed with another's.</summary>
    public static string OtherArithmetic(string runs, string here) =>
        $"other arithmetic ({runs}; here: {here}), and would end in other weights than an undisturbed run";

    private static IEnumerable<RunEvent> Outdated(RunState run, RunPlan plan) =>
        run.Checkpoints.Take(run.Checkpoints.Count + 1 - plan.CheckpointsKept).Select(c => new CheckpointDropped(run.Id, c.Version));

    private static Decision FinishIfDone(RunState run, RunPlan plan, params RunEvent[] events)
    {
        var after = events.Aggregate(run, Apply);
        var done = after.Round == plan.Rounds && after.IsScored(plan) && after.IsDurable(plan) && !after.IsFinished;
        return Decision.Store(done ? [.. events, new RunFinished(run.Id, after.Round, after.Fingerprint)] : events);
    }

    private static Decision FinishIfDone(RunState run, RunPlan plan, RunEvent first, RunEvent[] others) =>
        FinishIfDone(run, plan, [first, .. others]);

    private static Decision WrongRound(RunState run, int round) => Decision.Refuse($"round is {run.Round}, not {round}");

    private static Decision NoSuchReplica(RunPlan plan, int replica) => Decision.Refuse($"there is no replica {replica} of {plan.Replicas}");
}
