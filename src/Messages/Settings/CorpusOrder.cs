namespace Elastic.Messages.Settings;

/// <summary>The order in which the samples of a corpus are read.</summary>
public enum CorpusOrder
{
    /// <summary>All samples of the corpus are shuffled together: it must be complete before the first one is read.</summary>
    Shuffle,

    /// <summary>Windows of shards come one after the other, and the samples of each are shuffled together.</summary>
    Stream,
}
