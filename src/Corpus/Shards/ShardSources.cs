namespace Elastic.Corpus;

/// <summary>Which documents come together in a shard, and in which order the shards are.</summary>
public enum ShardSources
{
    /// <summary>Documents as they come, whatever their source.</summary>
    Mixed,

    /// <summary>Training shards are of one source each, and those of a source follow each other: for <c>corpus.mixture</c>.</summary>
    Grouped,

    /// <summary>
    /// All shards are of one source each, and training shards have the order in which they are finished, which is known before the last one
    /// is: for a mixture that is read while the corpus is built.
    /// </summary>
    InTurn,
}
