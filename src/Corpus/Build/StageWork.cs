namespace Elastic.Corpus.Build;

/// <summary>What a build gives to a stage that decides about all documents: room on the disk, and the word to stop.</summary>
/// <param name="folder">Takes what memory does not hold, while the stage decides.</param>
/// <param name="cancel">See <see cref="Cancel"/>.</param>
public sealed class StageWork(string folder, CancellationToken cancel)
{
    /// <summary>Ends the decision: to be looked at in whatever goes over all documents, or over pairs of them.</summary>
    public CancellationToken Cancel => cancel;

    /// <summary>What the stage did not compare, once it has decided; null for a stage that has no such limit.</summary>
    public LargeBuckets? LargeBuckets { get; set; }

    /// <summary>Sorts what the stage has of all documents. To be disposed of.</summary>
    /// <param name="order">What comes first.</param>
    public ExternalSort<T> Sort<T>(Comparison<T> order) where T : unmanaged => new(folder, order, cancel);
}

/// <summary>
/// What a stage that compares the documents of a bucket with the first ones of it has left out. A pair may have been compared all the same,
/// as members of another bucket.
/// </summary>
/// <param name="Stage">The stage's name.</param>
/// <param name="MostCompared">Documents of a bucket that each later one is compared with.</param>
/// <param name="Buckets">Buckets with a document that was not compared with all before it.</param>
/// <param name="Largest">Documents of the largest of these; 0 where there is none.</param>
/// <param name="Pairs">Pairs of documents of such a bucket that were not compared for it.</param>
public sealed record LargeBuckets(string Stage, int MostCompared, long Buckets, long Largest, long Pairs);
