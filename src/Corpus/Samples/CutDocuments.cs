using Elastic.Foundation;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>What of the documents of a corpus fits no sample, where each document is one (<see cref="SampleKind.Documents"/>).</summary>
/// <param name="Documents">Documents to train on.</param>
/// <param name="Cut">Those of them that are longer than a sample.</param>
/// <param name="Unscored">Those that are cut before the first token that is scored: nothing is learnt from them.</param>
public sealed record CutDocuments(long Documents, long Cut, long Unscored)
{
    /// <summary>Counts them in a corpus whose shards are here. Reads documents that are cut, of the others their lengths.</summary>
    /// <exception cref="ElasticException">A shard is damaged.</exception>
    /// <exception cref="IOException">A shard is not here.</exception>
    public static CutDocuments Of(BuiltCorpus corpus, SampleCut cut, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(cut);
        var (documents, longer, unscored) = (0L, 0L, 0L);
        if (cut.Kind != SampleKind.Documents)
            return new CutDocuments(0, 0, 0);
        var sample = new int[cut.Length];
        foreach (var info in corpus.TrainShards)
        {
            using var shard = TokenShard.Open(corpus.ShardPath(info), info, corpus.Manifest.VocabularySize);
            documents += shard.DocumentCount;
            foreach (var (index, document) in shard.Documents().Index())
            {
                if (document.Tokens <= sample.Length)
                    continue;
                longer++;
                if (info.Uncounted == 0)
                    continue;                                          // all of it is scored
                cancel.ThrowIfCancellationRequested();
                shard.ReadDocument(index, sample);
                unscored += IsAllRead(sample) ? 1 : 0;
            }
        }
        return new CutDocuments(documents, longer, unscored);
    }

    /// <summary>A sentence where some documents are cut; null where none is.</summary>
    /// <exception cref="OperationCanceledException">Nobody wants to know any more.</exception>
    public static Task<string?> NoticeAsync(
        TrainingSettings settings, BuiltCorpus corpus, CancellationToken cancel) => Task.Run(() =>
    {
        try
        {
            return Of(corpus, SampleCut.Of(settings), cancel).Notice(settings);
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
        {
            return null;                                               // other nodes may have the shard whole: whoever needs it says so
        }
    }, cancel);

    // The first token is no target.
    private static bool IsAllRead(ReadOnlySpan<int> sample)
    {
        foreach (var element in sample[1..])
        {
            if ((element & SampleElement.NotCounted) == 0)
                return false;
        }
        return true;
    }

    private string? Notice(TrainingSettings settings)
    {
        if (Cut == 0)
            return null;
        var remedy = settings.SampleTokens < settings.Model.Context ? "use a larger corpus.sample-tokens"
            : settings.Model.Init is null ? "use a larger model.context" : "shorten them, or start from a model with a longer context";
        return $"{Cut} of {Plural.Of(Documents, "document")} {(Cut == 1 ? "is" : "are")} longer than a sample of {settings.SampleTokens} "
            + "tokens, and cut"
            + (Unscored > 0 ? $"; of {Unscored} all that is scored is behind the cut, so that they teach nothing" : "") + $": {remedy}";
    }
}
