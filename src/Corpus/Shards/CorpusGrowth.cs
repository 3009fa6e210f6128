namespace Elastic.Corpus;

/// <summary>Lets runs read a corpus before it is complete.</summary>
/// <param name="ShardsOfWindow">So many finished shards become visible at once: <c>corpus.stream-window</c>.</param>
/// <param name="Grown">Told of each window, with all that is finished so far.</param>
public sealed record CorpusGrowth(int ShardsOfWindow, Action<BuiltCorpus> Grown);
