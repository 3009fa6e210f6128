using Elastic.Messages.Settings;

namespace Elastic.Messages.Corpora;

/// <summary>Asks a shard reader for samples of <paramref name="Context"/> + 1 elements.</summary>
/// <param name="HeldOut">True for a held-out shard of the corpus.</param>
public sealed record ReadBlocks(ShardId Shard, bool HeldOut, SampleKind Kind, int Context, int[] Blocks) : IWireMessage;

/// <summary>
/// The samples, one after the other, as little-endian elements (<see cref="SampleElement"/>) of <paramref name="TokenBytes"/> bytes each.
/// </summary>
public sealed record BlocksRead(ShardId Shard, int TokenBytes, byte[] Tokens) : IWireMessage;

/// <summary>Asks a shard reader which sources the elements of one sample count for.</summary>
/// <param name="HeldOut">True for a held-out shard of the corpus.</param>
public sealed record ReadSources(ShardId Shard, bool HeldOut, SampleKind Kind, int Context, int Block) : IWireMessage;

/// <summary>The sources of the sample.</summary>
/// <param name="Runs">All elements in order; none where the shard does not say which documents they are of.</param>
public sealed record SourcesRead(ShardId Shard, int Block, SourceRun[] Runs) : IWireMessage;

/// <summary>Neighbouring elements of a sample that count for one source and one language.</summary>
/// <param name="Source">Its name, see <see cref="SourceName"/>.</param>
/// <param name="Elements">How many, at least 1.</param>
/// <param name="Language">See <see cref="LanguageCode"/>; null where it is not known.</param>
public sealed record SourceRun(string Source, int Elements, string? Language = null) : IWireMessage;

/// <summary>The shard cannot be read; the sentence names the file, the offset and the remedy.</summary>
public sealed record ShardUnreadable(ShardId Shard, string Why) : IWireMessage;
