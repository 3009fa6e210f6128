using System.Collections.Immutable;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;

namespace Elastic.Coordination;

/// <summary>A finished window of the run's corpus.</summary>
/// <param name="Blocks">Training blocks up to its end.</param>
/// <param name="Shards">Shards up to its end.</param>
/// <param name="Digest">Digest of what the window holds: <see cref="CorpusWindow.Digest"/>.</param>
public sealed record WindowEnd(long Blocks, int Shards, Digest Digest);

/// <summary>Everything about a run that must survive a restart: the fold of its journal. Nothing in it grows with the rounds.</summary>
public sealed record RunState
{
    public required RunId Id { get; init; }

    /// <summary>What people call it; null before the run exists.</summary>
    public RunName? Name { get; init; }

    /// <summary>Canonical text of the settings; null before the run exists.</summary>
    public string? Settings { get; init; }

    /// <summary>Elements of the flat vector of trained parameters.</summary>
    public long Elements { get; init; }

    public Digest? Corpus { get; init; }

    /// <summary>SHA-256 of the corpus's manifest file.</summary>
    public Digest? Manifest { get; init; }

    /// <summary>Training blocks of an epoch; 0 while the corpus is being built.</summary>
    public long Blocks { get; init; }

    public long HeldOutBlocks { get; init; }

    /// <summary>The windows of shards that are finished, of a run that reads one after the other.</summary>
    public ImmutableList<WindowEnd> Windows { get; init; } = [];

    /// <summary>The samples with whose last one the run was to end when it began; null where it was to end with a whole round.</summary>
    public long? Samples { get; init; }

    public string Arithmetic { get; init; } = "";

    /// <summary>The round that is being computed; also the number of committed rounds.</summary>
    public int Round { get; init; }

    /// <summary>The last round that has begun, also where the run has gone back behind it since: its results may be anywhere.</summary>
    public int FarthestRound { get; init; }

    /// <summary>The changes of the length of the run, oldest first.</summary>
    public ImmutableList<RunExtension> Extensions { get; init; } = [];

    /// <summary>
    /// What was changed in mid-run, oldest first; none begins before an earlier one. <see cref="Settings"/> are those of the start.
    /// </summary>
    public ImmutableList<SettingsChange> Changes { get; init; } = [];

    /// <summary>Vector set of the version that the round starts from; null before version 0 exists.</summary>
    public Digest? Version { get; init; }

    public Digest? Fingerprint { get; init; }

    /// <summary>The set of the parameters that no step changes, of all versions; null where all are trained.</summary>
    public Digest? Frozen { get; init; }

    /// <summary>
    /// The replicas' moments at the start of the round, in replica order; a replica that is new in the round has none yet.
    /// </summary>
    public ImmutableList<Digest> InnerStates { get; init; } = [];

    public long TokensSeen { get; init; }

    public Digest ChainHead { get; init; } = HashChain.Empty;

    /// <summary>
    /// Decides which of this round's results two nodes compute. Drawn and stored when the round begins, and known to seeds only.
    /// </summary>
    public Digest? AuditSecret { get; init; }

    /// <summary>Results of this round, by replica.</summary>
    public ImmutableSortedDictionary<int, ReplicaResult> Finished { get; init; } = ImmutableSortedDictionary<int, ReplicaResult>.Empty;

    /// <summary>Replicas that stopped inside this round, by replica.</summary>
    public ImmutableSortedDictionary<int, ReplicaHandOver> HandedOver { get; init; } =
        ImmutableSortedDictionary<int, ReplicaHandOver>.Empty;

    /// <summary>Chunks of the next version, by chunk.</summary>
    public ImmutableSortedDictionary<int, AveragedChunk> Averaged { get; init; } = ImmutableSortedDictionary<int, AveragedChunk>.Empty;

    /// <summary>Newest last.</summary>
    public ImmutableList<Checkpoint> Checkpoints { get; init; } = [];

    /// <summary>The newest score.</summary>
    public VersionScore? Score { get; init; }

    /// <summary>The newest score by source; null where it is not told apart.</summary>
    public SourceScore[]? SourceScores { get; init; }

    /// <summary>The newest score by language; null where it is not told apart.</summary>
    public SourceScore[]? LanguageScores { get; init; }

    /// <summary>The best score, which early stopping compares others with; the older one of two equal ones.</summary>
    public VersionScore? BestScore { get; init; }

    /// <summary>
    /// Versions after the best one whose scores were no better. A version that is scored again, after a step back, counts once.
    /// </summary>
    public int ScoresSinceBest { get; init; }

    /// <summary>The newest version that was scored, also where the run has gone back behind it.</summary>
    public int LastScored { get; init; } = -1;

    /// <summary>The last version of a run that a score has ended; null for none.</summary>
    public int? EndsAt { get; init; }

    public double? TrainLossNats { get; init; }

    /// <summary>All computations of this round, by replica.</summary>
    public ImmutableSortedDictionary<int, ResultQuorum> Quorums { get; init; } = ImmutableSortedDictionary<int, ResultQuorum>.Empty;

    /// <summary>Nodes whose results were wrong, and why.</summary>
    public ImmutableSortedDictionary<string, string> Quarantined { get; init; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Ids of the newest requests that changed something, newest last: a repeated request changes nothing.</summary>
    public ImmutableList<string> Requests { get; init; } = [];

    /// <summary>True while the run is asked to take no more steps: paused, or stopped.</summary>
    public bool IsPaused { get; init; }

    /// <summary>It is paused, which a resume ends; false where it is stopped.</summary>
    public bool IsBreak { get; init; }

    /// <summary>The version that somebody last asked a checkpoint of; null for none.</summary>
    public int? CheckpointAsked { get; init; }

    public bool IsFinished { get; init; }

    /// <summary>Training blocks of <see cref="Windows"/>.</summary>
    public long KnownBlocks => Windows is [.., var last] ? last.Blocks : 0;

    /// <summary>Shards of <see cref="Windows"/>.</summary>
    public int KnownShards => Windows is [.., var last] ? last.Shards : 0;

    /// <summary>True when all that the round reads is finished, or all of the corpus is: then epochs begin anew.</summary>
    public bool HasData(RunPlan plan) => !plan.Streams || Round >= plan.Rounds || (Blocks > 0 && KnownBlocks == Blocks)
        || plan.Timeline.SamplesBefore(Round + 1) <= KnownBlocks;

    /// <summary>The windows that the round is the first to read of: they become part of the hash chain with it.</summary>
    public IEnumerable<Digest> WindowsOf(RunPlan plan)
    {
        if (Windows.IsEmpty)
            yield break;
        var (from, to) = (plan.Timeline.SamplesBefore(Round), plan.Timeline.SamplesBefore(Round + 1));
        for (var i = Windows.FindIndex(w => w.Blocks > from); i >= 0 && i < Windows.Count; i++)
        {
            var begin = i == 0 ? 0 : Windows[i - 1].Blocks;
            if (begin >= to)
                yield break;
            if (begin >= from && Windows[i].Blocks > begin)
                yield return Windows[i].Digest;
        }
    }

    /// <summary>The state before the first event.</summary>
    public static RunState Empty(RunId id) => new() { Id = id };

    /// <summary>True once the run is in the journal.</summary>
    public bool Exists => Settings is not null;

    /// <summary>Where the run stands, computed: there is no second copy of the truth.</summary>
    public RunPhase Phase(RunPlan plan) =>
        IsFinished ? RunPhase.Finished
        : Version is null ? RunPhase.Waiting
        : Round == plan.Rounds || Finished.Count < plan.ReplicasAt(Round) || Quorums.Values.Any(b => b.IsDisputed) ? RunPhase.Computing
        : Averaged.Count < plan.Chunks ? RunPhase.Averaging
        : RunPhase.Assembling;

    /// <summary>The computations of this replica's round so far.</summary>
    public ResultQuorum QuorumOf(int replica) => Quorums.GetValueOrDefault(replica, ResultQuorum.Empty);

    public bool IsQuarantined(NodeId node) => Quarantined.ContainsKey(node.Value);

    /// <summary>
    /// Why steps of this replica's round that followed from a hand-over do not count; null where they do. In a run that has put a node into
    /// quarantine only the hand-over that the journal has now is believed: another one may have been lost with the node that made it.
    /// </summary>
    public string? WhyNotFrom(int replica, Digest? handOver) =>
        handOver is not { } state || Quarantined.IsEmpty || HandedOver.GetValueOrDefault(replica)?.State == state
            ? null
            : $"replica {replica} went on from a hand-over that does not count any more";

    /// <summary>A replica's moments at the start of the round; null for one that has taken no step yet.</summary>
    public Digest? InnerStateOf(int replica) => replica < InnerStates.Count ? InnerStates[replica] : null;

    /// <summary>
    /// What the round's work starts from: the version and, where settings have changed, those of the round's segment. A result of other
    /// settings, which a node may hold when the journal was restored to before a change, is then no result of this round.
    /// </summary>
    public Digest? WorkStart(RunPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var segment = plan.At(Round);
        return Version is not { } version || (segment is { Changes: "", Mixtures: "" }
                && segment.ScheduleSteps == plan.Timeline.Segments[0].ScheduleSteps)
            ? Version : Digest.Of(Encoding.UTF8.GetBytes($"{version} {segment.ScheduleSteps} {segment.Changes} {segment.Mixtures}"));
    }

    /// <summary>What the round's chunks are averaged of; only once all replicas are in.</summary>
    public Digest AveragingInputs() => AveragedChunk.Inputs(Version!.Value, Finished.Values.Select(r => r.Contribution));

    /// <summary>The version that the averaged chunks make up; only once all of them are in.</summary>
    public VectorSet NextVersion(RunPlan plan) => VectorSet.Version(plan.Elements, [.. Averaged.Values], Frozen);

    /// <summary>True when this chunk is stored with the same bytes.</summary>
    public bool Has(AveragedChunk chunk) => Averaged.TryGetValue(chunk.Chunk, out var stored) && stored == chunk;

    /// <summary>True when this chunk is stored with other bytes.</summary>
    public bool Contradicts(AveragedChunk chunk) => Averaged.TryGetValue(chunk.Chunk, out var stored) && stored != chunk;

    /// <summary>True when a checkpoint says of the newest version what the run has here.</summary>
    public bool IsOfNewest(Checkpoint checkpoint) => checkpoint.Version == Round && checkpoint.Parameters == Version
        && checkpoint.Fingerprint == Fingerprint && checkpoint.InnerStates.SequenceEqual(InnerStates)
        && checkpoint.TokensSeen == TokensSeen && checkpoint.ChainHead == ChainHead;

    /// <summary>True when the newest version is scored, or need not be.</summary>
    public bool IsScored(RunPlan plan) => !plan.Evaluates(Round) || Score?.Version == Round;

    /// <summary>
    /// True when the newest version is durable, or need not be: where scores end the run, the best one is, whichever round it comes from.
    /// </summary>
    public bool IsDurable(RunPlan plan) =>
        (!plan.Checkpoints(Round) && CheckpointAsked != Round && !(Round > 0 && Round == BestKept(plan)))
        || Checkpoints.Any(c => c.Version == Round);

    /// <summary>The version whose checkpoint is kept because no other score was better; null where scores do not end the run.</summary>
    public int? BestKept(RunPlan plan) => plan.Patience > 0 ? BestScore?.Version : null;

    /// <summary>
    /// The vector sets without which the run cannot go on from where it is: the version, the inner states, this round's work.
    /// </summary>
    public IEnumerable<Digest> Current() => InnerStates
        .Concat(Version is { } version ? [version] : [])
        .Concat(Finished.Values.SelectMany(r => new[] { r.Contribution, r.InnerState }))
        .Concat(HandedOver.Values.Select(h => h.State))
        .Distinct();

    /// <summary>Every vector set that the run still needs, checkpoints included.</summary>
    public IEnumerable<Digest> References() =>
        Current().Concat(Checkpoints.SelectMany(c => c.InnerStates.Append(c.Parameters))).Distinct();
}
