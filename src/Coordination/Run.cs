using System.Collections.Immutable;
using System.Diagnostics;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Coordination.CoordinatorCommand;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

//   Waiting --- version 0 ---> Computing --- all replicas in ---> Averaging --- all chunks in ---> Assembling
//                                  ^------------------- committed, rounds left -----------------------'
//                                                          last round scored and durable -> Finished

/// <summary>
/// The life of one training run, decided without clocks, actors or I/O. RunCoordinator adds what is not stored. RunRequests decides
/// people's requests, the file of each kind of work (Work) decides its results, this file decides the coordinator's own commands.
/// </summary>
public static class Run
{
    public static Decision Decide(RunState run, RunPlan plan, CoordinatorCommand command) => command switch
    {
        ChooseArithmetic when run.Arithmetic.Length > 0 => Decision.AlreadyDone,
        ChooseArithmetic c => Decision.Store(new ArithmeticChosen(run.Id, c.Arithmetic)),

        CommitRound c when c.Round < run.Round => Decision.AlreadyDone,
        CommitRound c when c.Round > run.Round => WrongRound(run, c.Round),
        CommitRound when run.Quorums.Values.Any(b => b.IsDisputed) => Decision.Refuse("a replica's result is disputed"),
        CommitRound when run.Finished.Count < plan.ReplicasAt(run.Round) =>
            // one was lost after the chunks were averaged
            Decision.Refuse($"only {run.Finished.Count} of {plan.ReplicasAt(run.Round)} replicas are in"),
        CommitRound when run.Averaged.Count < plan.Chunks =>
            Decision.Refuse($"only {run.Averaged.Count} of {plan.Chunks} chunks are averaged"),
        CommitRound c when c.Version != run.NextVersion(plan).Digest =>
            // one was found wrong while the commit was on its way
            Decision.Refuse($"version {c.Version.Short} is of results that do not count any more"),
        CommitRound c when c.Holders < Math.Min(2, c.Nodes) || c.Holders < 1 =>
            Decision.Refuse($"{c.Holders} of {c.Nodes} nodes hold the version: too few to survive the loss of one"),
        CommitRound c => Decision.Store(new RoundCommitted(
            run.Id, c.Round, c.Version, c.Fingerprint, plan.TokensBefore(c.Round + 1),
            HashChain.Append(HashChain.Before(c.Round, run.ChainHead, run.Changes), run.Finished.Values.Select(HashChain.Of), c.Version,
                run.WindowsOf(plan)))),

        FinishSurvey c => Survey.Decide(run, c.Asked.ToHashSet(), c.Intact.ToHashSet()),
        LoseWork c when c.Round != run.Round => Decision.AlreadyDone,
        LoseWork c when c.Replicas.Where(r => run.Finished.ContainsKey(r) || run.HandedOver.ContainsKey(r)).ToArray()
            is { Length: > 0 } lost =>
            Decision.Store(new WorkLost(run.Id, run.Round, lost, !run.Averaged.IsEmpty, c.Why)),
        LoseWork => Decision.AlreadyDone,
        _ => throw new UnreachableException($"undecided: {command}"),
    };

    /// <summary>Decides about a node's result: checks its node and starting version here, leaves the rest to its kind of work.</summary>
    public static Decision Decide(RunState run, RunPlan plan, WorkResult result)
    {
        if (run.IsQuarantined(result.Node))
            return Decision.Refuse($"{result.Node} is in quarantine: {run.Quarantined[result.Node.Value]}");
        if (result.From != run.WorkStart(plan))
            return result.From is null || result.Key.Number < run.Round
                ? Decision.AlreadyDone
                : Decision.Refuse($"the {result.Key} starts from version {result.From.Value.Short}, " +
                                  $"and round {run.Round} from {run.Version?.Short ?? "none"}");
        return WorkKinds.Find(result.Key.Kind) is { } kind
            ? kind.Decide(run, plan, result)
            : Decision.Refuse($"there is no kind of work \"{result.Key.Kind}\"");
    }

    // No plan and no clock: today's journal must fold to the same state under tomorrow's configuration.
    public static RunState Apply(RunState run, RunEvent e) => e switch
    {
        RunStarted x => run with
        {
            Name = x.Name,
            Settings = x.Settings,
            Elements = x.Elements,
            Corpus = x.Corpus,
            Blocks = x.Blocks,
            HeldOutBlocks = x.HeldOutBlocks,
            Samples = x.Samples,
            Arithmetic = x.Arithmetic,
            Requests = RunRequests.Remember(run.Requests, x.By),
        },
        CorpusPublished x => run with { Manifest = x.Manifest },
        WindowAdded x => run with
        {
            Windows = run.Windows.Add(new WindowEnd(
                run.KnownBlocks + x.Window.Blocks, run.KnownShards + x.Window.Shards.Length, x.Window.Digest)),
            Manifest = x.Manifest ?? run.Manifest,
        },
        CorpusCompleted x => run with { Blocks = x.End.Blocks, HeldOutBlocks = x.End.HeldOutBlocks, Manifest = x.Manifest },
        SettingsChanged x => run with
        {
            Settings = x.Settings,
            Requests = RunRequests.Remember(run.Requests, x.By),
            Extensions = x.Extension is { } extension ? run.Extensions.Add(extension) : run.Extensions,
            IsFinished = run.IsFinished && x.Extension is null,
            EndsAt = x.Extension is null ? run.EndsAt : null,
        },
        SegmentPlanned x => run with
        {
            Changes = run.Changes.Add(x.Change),
            Requests = RunRequests.Remember(run.Requests, x.By),
            Extensions = x.Extension is { } extension ? run.Extensions.Add(extension) : run.Extensions,
            IsFinished = run.IsFinished && x.Extension is null,
            EndsAt = x.Extension is null ? run.EndsAt : null,
        },
        ArithmeticChosen x => run with { Arithmetic = x.Arithmetic },
        RunPaused x => run with { IsPaused = true, IsBreak = x.IsBreak, Requests = RunRequests.Remember(run.Requests, x.By) },
        RunResumed x => run with { IsPaused = false, IsBreak = false, Requests = RunRequests.Remember(run.Requests, x.By) },
        CheckpointRequested x => run with { CheckpointAsked = x.Version, Requests = RunRequests.Remember(run.Requests, x.By) },
        RunInitialized x => run with
        {
            Version = x.Version,
            Fingerprint = x.Fingerprint,
            AuditSecret = x.AuditSecret,
            Frozen = x.Frozen,
        },
        ReplicaHandedOver x => run with { HandedOver = run.HandedOver.SetItem(x.HandOver.Replica, x.HandOver) },
        ReplicaComputed x => run with
        {
            Finished = run.Finished.SetItem(x.Result.Replica, x.Result),
            HandedOver = run.HandedOver.Remove(x.Result.Replica),
            Quorums = Voted(run, new Vote(x.Node, x.Result, x.ResumedFrom, x.Others)),
        },
        ReplicaConfirmed x => run with { Quorums = Voted(run, new Vote(x.Node, x.Result, x.ResumedFrom, x.Others)) },
        ReplicaContested x => run with { Quorums = Voted(run, new Vote(x.Node, x.Other, x.ResumedFrom, x.Others)) },
        ReplicaSettled x => run with
        {
            Finished = run.Finished.SetItem(x.Result.Replica, x.Result),
            Quorums = Voted(run, new Vote(x.Node, x.Result, x.ResumedFrom, x.Others)),
        },
        NodeQuarantined x => run with { Quarantined = run.Quarantined.SetItem(x.Node.Value, x.Why) },
        ChunksAveraged x => run with { Averaged = run.Averaged.SetItems(x.Chunks.Select(c => KeyValuePair.Create(c.Chunk, c))) },
        RoundCommitted x => NextRound(run, x),
        VersionEvaluated x => EarlyStopping.Scored(run, x.Score) with { SourceScores = x.Sources, LanguageScores = x.Languages },
        RunEndedEarly x => run with { EndsAt = x.Version },
        CheckpointTaken x => run with { Checkpoints = run.Checkpoints.Add(x.Checkpoint) },
        CheckpointDropped x => run with { Checkpoints = run.Checkpoints.RemoveAll(c => c.Version == x.Version) },
        WorkLost x => run with
        {
            Finished = run.Finished.RemoveRange(x.Replicas),
            HandedOver = run.HandedOver.RemoveRange(x.Replicas),
            Quorums = run.Quorums.RemoveRange(x.Replicas),
            Averaged = x.Chunks ? run.Averaged.Clear() : run.Averaged,
        },
        RolledBack x => RollBack(run, x.From),
        RunFinished => run with { IsFinished = true },
        _ => throw new UnreachableException($"unknown event: {e}"),
    };

    /// <summary>Stores the events of a score or a checkpoint, and the end of the run where nothing else is due.</summary>
    public static Decision FinishIfDone(RunState run, RunPlan plan, params RunEvent[] events)
    {
        var after = events.Aggregate(run, Apply);
        plan = plan with { EndsAt = after.EndsAt };
        var done = after.Round == plan.Rounds && after.IsScored(plan) && after.IsDurable(plan) && !after.IsFinished;
        return Decision.Store(done ? [.. events, new RunFinished(run.Id, after.Round, after.Fingerprint!.Value)] : events);
    }

    /// <summary>The reason why results of two arithmetics must not be mixed.</summary>
    public static string OtherArithmetic(string runs, string here) =>
        $"other arithmetic ({runs}; here: {here}), and would end in other weights than an undisturbed run"
        + (runs.StartsWith("1 cpu ", StringComparison.Ordinal)
            ? " (it was begun by an older Elastic, when each kind of CPU had its own)"
            : "");

    internal static Decision WrongRound(RunState run, int round) => Decision.Refuse($"round is {run.Round}, not {round}");

    private static ImmutableSortedDictionary<int, ResultQuorum> Voted(RunState run, Vote vote) =>
        run.Quorums.SetItem(vote.Result.Replica, run.QuorumOf(vote.Result.Replica).With(vote));

    private static RunState NextRound(RunState run, RoundCommitted x) => run with
    {
        Round = x.Round + 1,
        FarthestRound = Math.Max(run.FarthestRound, x.Round + 1),
        Version = x.Version,
        Fingerprint = x.Fingerprint,
        TokensSeen = x.TokensSeen,
        ChainHead = x.ChainHead,
        AuditSecret = x.AuditSecret,
        InnerStates = [.. run.Finished.Values.Select(r => r.InnerState)],
        TrainLossNats = run.Finished.Values.Where(r => r.Tokens > 0).Average(r => r.LossNats),
        Finished = run.Finished.Clear(),
        HandedOver = run.HandedOver.Clear(),
        Averaged = run.Averaged.Clear(),
        Quorums = run.Quorums.Clear(),
    };

    private static RunState RollBack(RunState run, Checkpoint? from) => run with
    {
        Round = from?.Version ?? 0,
        Version = from?.Parameters,
        Fingerprint = from?.Fingerprint,
        TokensSeen = from?.TokensSeen ?? 0,
        ChainHead = from?.ChainHead ?? HashChain.Empty,
        InnerStates = from is null ? [] : [.. from.InnerStates],
        Checkpoints = run.Checkpoints.RemoveAll(c => c.Version > (from?.Version ?? 0)),
        Score = run.Score is { } score && score.Version > (from?.Version ?? 0) ? null : run.Score,
        Finished = run.Finished.Clear(),
        HandedOver = run.HandedOver.Clear(),
        Averaged = run.Averaged.Clear(),
        Quorums = run.Quorums.Clear(),
        IsFinished = false,
    };
}
