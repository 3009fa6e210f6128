using System.Collections.Concurrent;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Corpora;

/// <summary>
/// The corpora that this process builds while runs read them, each once, for as long as the process lives. What an earlier process has
/// finished of one is read at once, and the build, which begins anew, finds the same bytes there.
/// </summary>
internal sealed class CorpusStreams(CorpusBuild build, DataPaths paths, BlobLocations blobs)
{
    // Batches of documents are tokenized in between: a build that was told to end does so within moments.
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _ended = new();
    private readonly ConcurrentDictionary<Digest, Lazy<GrowingCorpus>> _corpora = new();

    /// <summary>Cancelled when the process ends.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Begins to build the corpus, unless that is being done.</summary>
    /// <param name="cancel">Ends the reading of the sources for their digests, and not the build.</param>
    /// <exception cref="ElasticException">The sources cannot be read.</exception>
    public async Task<GrowingCorpus> BeginAsync(CorpusSettings settings, IProgress<CorpusProgress>? progress, CancellationToken cancel)
    {
        var planned = await Task.Run(() => build.Find(settings, progress, cancel), cancel);
        // Another try where it has failed, and where it was deleted since.
        if (_corpora.TryGetValue(planned.Id, out var known) && known is { IsValueCreated: true, Value.Whole.IsCompleted: true }
            && (!known.Value.Whole.IsCompletedSuccessfully || !BuiltCorpus.TryOpen(paths.Corpus(planned.Id), out _)))
            _corpora.TryRemove(KeyValuePair.Create(planned.Id, known));
        var begun = _corpora.GetOrAdd(planned.Id, id => new Lazy<GrowingCorpus>(() =>
        {
            var corpus = new GrowingCorpus(id);
            if (BuiltCorpus.FindGrowing(paths.Corpus(id), id) is { } before && !BuiltCorpus.TryOpen(paths.Corpus(id), out _)
                && before.TrainShards.Count >= settings.StreamWindow)
                Grow(corpus, before);
            corpus.Whole = Task.Run(async () =>
            {
                var whole = await build.RunAsync(
                    planned, progress, new CorpusGrowth(settings.StreamWindow, grown => Grow(corpus, grown)), null, _ended.Token);
                blobs.Add(whole);
                return whole;
            });
            return corpus;
        }));
        try
        {
            return begun.Value;
        }
        catch
        {
            // It keeps its exception, and what it could not read may be mended by the next start.
            _corpora.TryRemove(KeyValuePair.Create(planned.Id, begun));
            throw;
        }
    }

    /// <summary>Ends the builds; what is finished of each stays.</summary>
    public async Task EndAsync()
    {
        await _ended.CancelAsync();
        try
        {
            await Task.WhenAll(_corpora.Values.Where(c => c.IsValueCreated).Select(c => c.Value.Whole)).WaitAsync(EndDeadline);
        }
        catch (Exception)
        {
            // It was told to end; who waits for the corpus hears why there is none.
        }
    }

    private void Grow(GrowingCorpus corpus, BuiltCorpus grown)
    {
        blobs.Add(grown);
        corpus.Grow(grown);
    }
}
