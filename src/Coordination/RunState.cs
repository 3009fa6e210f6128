using System.Collections.Immutable;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;

namespace Elastic.Coordination;

/// <summary>Everything about a run that must survive a restart: the fold of its journal.</summary>
/// <param name="Settings">Canonical text of the settings; null before the run exists.</param>
/// <param name="Elements">Of the flat parameter vector.</param>
/// <param name="Round">The round that is being computed: as many are committed.</param>
/// <param name="Version">Vector set of the version that the round starts from; null before version 0 exists.</param>
/// <param name="InnerStates">The replicas' moments at the start of the round, in replica order; empty in round 0.</param>
/// <param name="Finished">Results of this round, by replica.</param>
/// <param name="HandedOver">Replicas that stopped inside this round, by replica.</param>
/// <param name="Averaged">Chunks of the next version, by chunk.</param>
/// <param name="Checkpoints">Newest last.</param>
/// <param name="Score">The newest score.</param>
/// <param name="Ballots">Who computed what in this round, by replica.</param>
/// <param name="Quarantined">Nodes whose results were wrong, and why it is thought so.</param>
/// <param name="IsPaused">True when somebody asked the run to stop, and nobody has asked it to go on since.</param>
public sealed record RunState(
    RunId Id, string? Settings, long Elements, Digest Corpus, Digest? Manifest, long Blocks, long HeldOutBlocks, string Arithmetic,
    int Round, Digest? Version, Digest Fingerprint, ImmutableList<Digest> InnerStates, long TokensSeen, Digest Ledger,
    ImmutableSortedDictionary<int, ReplicaResult> Finished,
    ImmutableSortedDictionary<int, ReplicaHandOver> HandedOver,
    ImmutableSortedDictionary<int, AveragedChunk> Averaged,
    ImmutableList<Checkpoint> Checkpoints, VersionScore? Score, double? TrainLossNats,
    ImmutableSortedDictionary<int, Ballot> Ballots, ImmutableSortedDictionary<string, string> Quarantined, bool IsPaused, bool IsFinished)
{
    /// <summary>A run of which nothing is known.</summary>
    public static RunState Empty(RunId id) => new(
        id, null, 0, default, null, 0, 0, "", 0, null, default, [], 0, Coordination.Ledger.Empty,
        ImmutableSortedDictionary<int, ReplicaResult>.Empty, ImmutableSortedDictionary<int, ReplicaHandOver>.Empty,
        ImmutableSortedDictionary<int, AveragedChunk>.Empty, [], null, null,
        ImmutableSortedDictionary<int, Ballot>.Empty, ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal), false, false);

    /// <summary>True once the run is in the journal.</summary>
    public bool Exists => Settings is not null;

    /// <summary>Where the run stands, computed: there is no second copy of the truth.</summary>
    public RunPhase Phase(RunPlan plan) =>
        IsFinished ? RunPhase.Finished
        : Version is null ? RunPhase.Waiting
        : Round == plan.Rounds || Finished.Count < plan.Replicas || Ballots.Values.Any(b => b.IsDisputed) ? RunPhase.Computing
        : Averaged.Count < plan.Chunks ? RunPhase.Averaging
        : RunPhase.Assembling;

    /// <summary>Who computed this replica's round so far, and what came of it.</summary>
    public Ballot BallotOf(int replica) => Ballots.GetValueOrDefault(replica, Ballot.Empty);

    public bool IsQuarantined(NodeId node) => Quarantined.ContainsKey(node.Value);

    /// <summary>What the round's chunks are averaged of; only once all replicas are in.</summary>
    public Digest AveragingInputs() => AveragedChunk.Inputs(Version!.Value, Finished.Values.Select(r => r.Contribution));

    /// <summary>The version that the averaged chunks make up; only once all of them are in.</summary>
    public VectorSet NextVersion(RunPlan plan) => VectorSet.Version(plan.Elements, [.. Averaged.Values]);

    /// <summary>True when this chunk is stored with the same bytes.</summary>
    public bool Has(AveragedChunk chunk) => Averaged.TryGetValue(chunk.Chunk, out var stored) && stored == chunk;

    /// <summary>True when this chunk is stored with other bytes.</summary>
    public bool Contradicts(AveragedChunk chunk) => Averaged.TryGetValue(chunk.Chunk, out var stored) && stored != chunk;

    /// <summary>True when the newest version is scored, or need not be.</summary>
    public bool IsScored(RunPlan plan) => !plan.Evaluates(Round) || Score?.Version == Round;

    /// <summary>True when the newest version is durable, or need not be.</summary>
    public bool IsDurable(RunPlan plan) => !plan.Checkpoints(Round) || Checkpoints.Any(c => c.Version == Round);

    /// <summary>The vector sets without which the run cannot go on from where it is: the version, the inner states, this round's work.</summary>
    public IEnumerable<Digest> Current() => InnerStates
        .Concat(Version is { } version ? [version] : [])
        .Concat(Finished.Values.SelectMany(r => new[] { r.Contribution, r.InnerState }))
        .Concat(HandedOver.Values.Select(h => h.State))
        .Distinct();

    /// <summary>Every vector set that the run still needs, checkpoints included.</summary>
    public IEnumerable<Digest> References() =>
        Current().Concat(Checkpoints.SelectMany(c => c.InnerStates.Append(c.Parameters))).Distinct();
}
