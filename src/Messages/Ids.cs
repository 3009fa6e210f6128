using Elastic.Foundation;

namespace Elastic.Messages;

/// <summary>Names a run, e.g. "gpt2-124m-a". Also the tail of its journal key.</summary>
public readonly record struct RunId(string Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>Names one Elastic process in the cluster: its address, e.g. "127.0.0.1:4053".</summary>
public readonly record struct NodeId(string Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>Names a device of a node, e.g. "cpu:0" or "cuda:3".</summary>
public readonly record struct DeviceId(string Value)
{
    /// <summary>True for a slot on the processor, false for a GPU.</summary>
    public bool IsCpu => Value.StartsWith("cpu", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>Names a corpus shard within the cluster: the corpus and the shard's place in it.</summary>
public readonly record struct ShardId(Digest Corpus, int Index)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Corpus.Hex}-{Index}";
}
