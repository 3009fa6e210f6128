using System.Text.Json.Serialization;
using System.Globalization;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Messages.Runs;

/// <summary>What one replica did in one round.</summary>
/// <param name="Contribution">Vector set: its parameters after the inner steps.</param>
/// <param name="InnerState">Vector set: its optimizer moments after the inner steps.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="LossNats">Mean cross-entropy over those tokens, nats per token.</param>
/// <param name="Samples">The chained digest of the block ids and tokens consumed, step by step.</param>
public sealed record ReplicaResult(
    int Round, int Replica, Digest Contribution, Digest InnerState, long Tokens, double LossNats, Digest Samples) : IWireMessage;

/// <summary>A replica that stopped after <paramref name="Step"/> of its inner steps.</summary>
/// <param name="State">Vector set: parameters and moments at that step.</param>
/// <param name="LossSumNats">Sum of the mean losses of the steps taken.</param>
/// <param name="Samples">The sample digest's chain up to that step.</param>
public sealed record ReplicaHandOver(int Round, int Replica, int Step, Digest State, double LossSumNats, Digest Samples) : IWireMessage;

/// <summary>A chunk of the next version.</summary>
/// <param name="Parameters">Digest of the averaged parameters.</param>
/// <param name="OuterMomentum">Digest of the outer momentum; null where the averaging has none.</param>
public sealed record AveragedChunk(int Chunk, Digest Parameters, Digest? OuterMomentum) : IWireMessage
{
    /// <summary>The blobs that it is stored in.</summary>
    public IEnumerable<Digest> Blobs() => OuterMomentum is { } momentum ? [Parameters, momentum] : [Parameters];

    /// <summary>Digest of what chunks are averaged of: it differs for a sum over contributions that were replaced since.</summary>
    /// <param name="version">The version that the round started from.</param>
    /// <param name="contributions">In replica order.</param>
    public static Digest Inputs(Digest version, IEnumerable<Digest> contributions) =>
        Digest.Of(Encoding.ASCII.GetBytes(string.Join('\n', contributions.Prepend(version))));
}

/// <summary>Shards of a corpus that are read one window after the other.</summary>
/// <param name="Number">From 0 on, without gaps.</param>
/// <param name="Blocks">
/// Training samples that an epoch reads of them: their blocks, or as many as <c>corpus.mixture</c> makes of these.
/// </param>
/// <param name="Shards">SHA-256 of each shard's file, in the order of the corpus.</param>
public sealed record CorpusWindow(int Number, long Blocks, Digest[] Shards) : IWireMessage
{
    /// <summary>Shards of a window, at most.</summary>
    public const int MostShards = 256;

    /// <summary>All of it in one digest.</summary>
    public Digest Digest => Digest.Of(Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"window {Number} {Blocks} {string.Join(' ', Shards)}")));
}

/// <summary>A corpus whose end is known.</summary>
/// <param name="Blocks">Training samples: one epoch.</param>
/// <param name="HeldOutBlocks">Blocks kept for evaluation; 0 for none.</param>
public sealed record CorpusEnd(long Blocks, long HeldOutBlocks) : IWireMessage;

/// <summary>A version's loss on the held-out text.</summary>
/// <param name="Version">Rounds that the version contains.</param>
/// <param name="LossNats">Mean cross-entropy, nats per token.</param>
/// <param name="BitsPerByte">Mean cross-entropy, bits per byte of text.</param>
public sealed record VersionScore(int Version, double LossNats, double BitsPerByte) : IWireMessage;

/// <summary>A version's loss on the held-out text of one source, or of one language, as sums that merge.</summary>
/// <param name="Source">Its name.</param>
/// <param name="Nats">Sum of the cross-entropies.</param>
/// <param name="Targets">Number of them.</param>
public sealed record SourceScore(string Source, double Nats, long Targets) : IWireMessage
{
    /// <summary>Sources that are told apart, the largest; the others are one sum.</summary>
    public const int Most = 32;

    /// <summary>Nats per target.</summary>
    public double LossNats => Nats / Targets;
}

/// <summary>A run was made longer.</summary>
/// <param name="FromRound">The first round whose learning rate goes by the new length: it had not begun anywhere.</param>
/// <param name="OldRounds">Rounds of the run before.</param>
/// <param name="Rounds">Rounds of the run since.</param>
/// <param name="OldSamples">The sample that the run ended with before; null where it ended with a whole round.</param>
/// <param name="Samples">The sample that it ends with since; null likewise.</param>
public sealed record RunExtension(
    int FromRound, int OldRounds, int Rounds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? OldSamples = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Samples = null);

/// <summary>Settings that change in mid-run.</summary>
/// <param name="FromRound">The first round that is computed under them: it had not begun anywhere.</param>
/// <param name="Settings">The keys that change, and no others: canonical text, see <see cref="Settings.PartialSettings"/>.</param>
public sealed record SettingsChange(int FromRound, string Settings) : IWireMessage;

/// <summary>A version that a run may go on from.</summary>
/// <param name="Version">Rounds that the version contains.</param>
/// <param name="Parameters">Vector set of the version.</param>
/// <param name="InnerStates">One vector set per replica; empty before the first round.</param>
/// <param name="TokensSeen">Tokens trained on up to that version, over all replicas.</param>
/// <param name="ChainHead">The hash chain's digest after those rounds.</param>
/// <param name="Path">The manifest file.</param>
public sealed record Checkpoint(
    int Version, Digest Parameters, Digest Fingerprint, Digest[] InnerStates, long TokensSeen, Digest ChainHead,
    string Path) : IWireMessage;
