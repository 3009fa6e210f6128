using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Actors.Corpora;

/// <summary>A corpus that this process builds while runs read it. Thread-safe.</summary>
public sealed class GrowingCorpus
{
    private readonly Lock _gate = new();
    private BuiltCorpus? _newest;
    private TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal GrowingCorpus(Digest id) => Id = id;

    /// <summary>A corpus that was complete before.</summary>
    public static GrowingCorpus Of(BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        return new GrowingCorpus(corpus.Id) { Whole = Task.FromResult(corpus) };
    }

    /// <summary>Digest of the corpus.</summary>
    public Digest Id { get; }

    /// <summary>Ends with the complete corpus, or with the reason why there is none.</summary>
    public Task<BuiltCorpus> Whole { get; internal set; } = null!;

    /// <summary>What is finished, as soon as it is at least so many shards or all of the corpus.</summary>
    /// <exception cref="ElasticException">The build has failed.</exception>
    public async Task<BuiltCorpus> OfShardsAsync(int shards, CancellationToken cancel)
    {
        while (true)
        {
            if (Whole.IsCompletedSuccessfully)
                return await Whole;
            Task grown;
            lock (_gate)
            {
                if (_newest is { } newest && newest.TrainShards.Count >= shards)
                    return newest;
                grown = _grown.Task;
            }
            await Task.WhenAny(grown, Whole).WaitAsync(cancel);
            if (Whole.IsCompleted)
                return await Whole;
        }
    }

    internal void Grow(BuiltCorpus corpus)
    {
        lock (_gate)
        {
            _newest = corpus;
            _grown.TrySetResult();
            _grown = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
