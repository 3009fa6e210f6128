using System.Text.Json.Serialization;
using Elastic.Foundation;

namespace Elastic.Messages.Runs;

/// <summary>
/// What has happened to a run. Stored for good, by the journal's codec, which gives each type a manifest that outlives its name here.
/// </summary>
/// <remarks>
/// Types may be moved and renamed. A field may be added, here and to the records inside, if it is nullable or has a default, which is what
/// older journals have there. A field that changes its name or its meaning needs a new version of the event, with an up-caster.
/// </remarks>
public abstract record RunEvent(RunId RunId)
{
    /// <summary>The run exists.</summary>
    /// <param name="Settings">Canonical text of the training settings.</param>
    /// <param name="Elements">Elements of the flat vector of trained parameters.</param>
    /// <param name="Corpus">Digest of the built corpus.</param>
    /// <param name="Blocks">Training blocks in the corpus: one epoch. 0 where it was being built: <see cref="CorpusCompleted"/> says it.
    /// </param>
    /// <param name="HeldOutBlocks">Blocks kept for evaluation; 0 for none.</param>
    /// <param name="Arithmetic">What the bits depend on besides the settings and the corpus: kind of device, instruction set, threads;
    /// empty where that was not known yet.</param>
    /// <param name="Name">What people call it.</param>
    /// <param name="By">Who asked for it.</param>
    /// <param name="Samples">The samples of all epochs, with the last of which the run ends; null where it ends with a whole round, as do
    /// runs of epochs in journals of before there was this field.</param>
    public sealed record RunStarted(
        RunId RunId, RunName Name, string Settings, long Elements, Digest Corpus, long Blocks, long HeldOutBlocks, string Arithmetic,
        Origin By, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Samples = null) : RunEvent(RunId);

    /// <summary>Nodes without the corpus can fetch it.</summary>
    /// <param name="Manifest">SHA-256 of the corpus's manifest file, by which they do.</param>
    public sealed record CorpusPublished(RunId RunId, Digest Manifest) : RunEvent(RunId);

    /// <summary>
    /// A window of the corpus is finished: the run reads these shards in its order, and no others in their place. Of runs with
    /// <c>corpus.order</c> = stream.
    /// </summary>
    /// <param name="Manifest">SHA-256 of the manifest of what is finished by now; null where it is the one of before.</param>
    public sealed record WindowAdded(
        RunId RunId, CorpusWindow Window,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Digest? Manifest = null) : RunEvent(RunId);

    /// <summary>The corpus that was being built when the run began is complete: an epoch ends with its last window.</summary>
    /// <param name="Manifest">SHA-256 of the manifest of all of it.</param>
    public sealed record CorpusCompleted(RunId RunId, CorpusEnd End, Digest Manifest) : RunEvent(RunId);

    /// <summary>The run is computed with this arithmetic from now on.</summary>
    public sealed record ArithmeticChosen(RunId RunId, string Arithmetic) : RunEvent(RunId);

    /// <summary>A person asked the run to take no more steps; it does not go on by itself.</summary>
    /// <param name="IsBreak">It was paused, until somebody resumes it; false where it was stopped, until somebody starts it.</param>
    public sealed record RunPaused(
        RunId RunId, Origin By, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsBreak = false)
        : RunEvent(RunId);

    /// <summary>A person asked the run to go on.</summary>
    public sealed record RunResumed(RunId RunId, Origin By) : RunEvent(RunId);

    /// <summary>The run goes on with other settings, none of which changes the weights of the rounds that have begun.</summary>
    /// <param name="Extension">The rounds that were added; null where the run is as long as before.</param>
    public sealed record SettingsChanged(
        RunId RunId, string Settings, Origin By,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RunExtension? Extension = null) : RunEvent(RunId);

    /// <summary>
    /// A segment of the run begins with a round that had not begun: its settings change from there on, and with them the weights. Part of
    /// the hash chain from that round on.
    /// </summary>
    /// <param name="Extension">The rounds that were added or left out; null where the run ends where it ended before.</param>
    public sealed record SegmentPlanned(
        RunId RunId, SettingsChange Change, Origin By,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RunExtension? Extension = null) : RunEvent(RunId);

    /// <summary>Version 0 exists.</summary>
    /// <param name="AuditSecret">Decides what is computed twice in the round that begins; null where nothing is audited.</param>
    /// <param name="Frozen">The set of the parameters that no step changes, of all versions; null where all are trained.</param>
    public sealed record RunInitialized(
        RunId RunId, Digest Version, Digest Fingerprint,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Digest? AuditSecret = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Digest? Frozen = null) : RunEvent(RunId);

    public sealed record ReplicaHandedOver(RunId RunId, ReplicaHandOver HandOver) : RunEvent(RunId);

    /// <summary>A replica's first result of a round. It counts, unless two nodes agree on another one.</summary>
    /// <param name="Node">The node that computed it.</param>
    /// <param name="ResumedFrom">The hand-over that the node went on from; null where it took all steps of the round itself.</param>
    /// <param name="Others">Nodes that computed it together with this one, a stage each.</param>
    public sealed record ReplicaComputed(
        RunId RunId, ReplicaResult Result, NodeId Node, Digest? ResumedFrom = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Others = 0) : RunEvent(RunId);

    /// <summary>Another node computed the same bytes.</summary>
    /// <inheritdoc cref="ReplicaComputed"/>
    public sealed record ReplicaConfirmed(
        RunId RunId, ReplicaResult Result, NodeId Node, Digest? ResumedFrom = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Others = 0) : RunEvent(RunId);

    /// <summary>A replica's work arrived a second time with other bytes: a node's memory or disk is faulty.</summary>
    /// <param name="Node">The node that computed the other one.</param>
    public sealed record ReplicaContested(
        RunId RunId, ReplicaResult Accepted, ReplicaResult Other, NodeId Node, Digest? ResumedFrom = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Others = 0) : RunEvent(RunId);

    /// <summary>A further computation agreed with one of the disputed results: that one counts.</summary>
    /// <inheritdoc cref="ReplicaComputed"/>
    public sealed record ReplicaSettled(
        RunId RunId, ReplicaResult Result, NodeId Node, Digest? ResumedFrom = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Others = 0) : RunEvent(RunId);

    /// <summary>This node's results were wrong. It gets no more work of this run.</summary>
    public sealed record NodeQuarantined(RunId RunId, NodeId Node, string Why) : RunEvent(RunId);

    public sealed record ChunksAveraged(RunId RunId, int Round, AveragedChunk[] Chunks) : RunEvent(RunId);

    /// <summary>Round <paramref name="Round"/> is over; computing it again gives the same bytes.</summary>
    /// <param name="Version">Vector set of version <paramref name="Round"/> + 1.</param>
    /// <param name="TokensSeen">Over all replicas and rounds.</param>
    /// <param name="ChainHead">The hash chain's digest: SHA-256 over the one before this round, the replicas' results in order, and the
    /// version.</param>
    /// <param name="AuditSecret">Decides what is computed twice in the round that begins; null where nothing is audited.</param>
    public sealed record RoundCommitted(
        RunId RunId, int Round, Digest Version, Digest Fingerprint, long TokensSeen, Digest ChainHead,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Digest? AuditSecret = null) : RunEvent(RunId);

    /// <param name="Sources">The score by source, in the order of their names; null where one source is all, or none is known.</param>
    /// <param name="Languages">The score by language; null where one language is all, or none is known.</param>
    public sealed record VersionEvaluated(
        RunId RunId, VersionScore Score,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SourceScore[]? Sources = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SourceScore[]? Languages = null) : RunEvent(RunId);

    /// <summary>
    /// A score ended the run: it has no more rounds than version <paramref name="Version"/>, unless somebody makes it longer.
    /// </summary>
    public sealed record RunEndedEarly(RunId RunId, int Version, string Why) : RunEvent(RunId);

    /// <summary>A person asked for a checkpoint of this version, besides those that the settings ask for.</summary>
    public sealed record CheckpointRequested(RunId RunId, int Version, Origin By) : RunEvent(RunId);

    public sealed record CheckpointTaken(RunId RunId, Checkpoint Checkpoint) : RunEvent(RunId);

    /// <summary>The checkpoint is outdated or damaged: nothing may rely on it any more.</summary>
    public sealed record CheckpointDropped(RunId RunId, int Version) : RunEvent(RunId);

    /// <summary>Work of the current round whose blobs are gone, damaged or not trusted; it is done again.</summary>
    /// <param name="Replicas">Replicas whose result or hand-over is lost.</param>
    /// <param name="Chunks">True when the averaged chunks are discarded, too.</param>
    public sealed record WorkLost(RunId RunId, int Round, int[] Replicas, bool Chunks, string Why) : RunEvent(RunId);

    /// <summary>
    /// The newest version was not intact; the run goes on from an older one. The rounds after it are computed again, to the same bits.
    /// </summary>
    /// <param name="From">The checkpoint that the run goes on from; null for the beginning.</param>
    public sealed record RolledBack(RunId RunId, Checkpoint? From, string Why) : RunEvent(RunId);

    /// <summary>All rounds are committed, the last version is scored and durable.</summary>
    public sealed record RunFinished(RunId RunId, int Rounds, Digest Fingerprint) : RunEvent(RunId);
}
