using Elastic.Messages.Settings;

namespace Elastic.Messages.Corpora;

/// <summary>Asks a shard reader for samples of <paramref name="Context"/> + 1 elements.</summary>
/// <param name="HeldOut">True for a held-out shard of the corpus.</param>
public sealed record ReadBlocks(ShardId Shard, bool HeldOut, SampleKind Kind, int Context, int[] Blocks) : IWireMessage;

/// <summary>
/// The samples, one after the other, as little-endian elements (<see cref="SampleElement"/>) of <paramref name="TokenBytes"/> bytes each.
/// </summary>
public sealed record BlocksRead(ShardId Shard, int TokenBytes, byte[] Tokens) : IWireMessage;

/// <summary>The shard cannot be read; the sentence names the file, the offset and the remedy.</summary>
public sealed record ShardUnreadable(ShardId Shard, string Why) : IWireMessage;
