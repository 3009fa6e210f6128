using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>Where the tokens of a document, or of a piece of it, are in a corpus.</summary>
/// <param name="Id">Its number in the text that the corpus was made of.</param>
/// <param name="IsHeldOut">Among the held-out shards, and not those that are trained on.</param>
/// <param name="Shard">The shard's number among these.</param>
/// <param name="Index">Its number in the shard.</param>
/// <param name="Place">Its tokens in the shard.</param>
public readonly record struct DocumentTokens(long Id, bool IsHeldOut, int Shard, int Index, ShardDocument Place)
{
    /// <summary>
    /// The documents of a part of a text with their tokens, in key order. Reads text and shards side by side: a corpus has its documents in
    /// the order of its text, which is told apart by the rule that told them apart when it was made.
    /// </summary>
    /// <param name="text">What the corpus was made of.</param>
    /// <param name="split">Train, or validation.</param>
    /// <param name="heldOut">The share of the training text that the corpus keeps from training.</param>
    /// <exception cref="ElasticException">The corpus was made of another text, or a file is damaged.</exception>
    public static IEnumerable<DocumentTokens> Of(BuiltText text, BuiltCorpus corpus, Split split, double heldOut)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(corpus);
        return Find(text, corpus, split, heldOut);
    }

    private static IEnumerable<DocumentTokens> Find(BuiltText text, BuiltCorpus corpus, Split split, double heldOut)
    {
        var bySource = corpus.TrainShards.Any(s => s.Source is not null);
        var heldOutBySource = corpus.HeldOutShards.Any(s => s.Source is not null);
        var series = new Dictionary<(bool IsHeldOut, string? Source), IEnumerator<DocumentTokens>>();
        try
        {
            foreach (var record in text.Records(split).Where(r => !string.IsNullOrWhiteSpace(r.Text)))
            {
                var utf8 = Encoding.UTF8.GetBytes(record.Text);
                var isHeldOut = split == Split.Validation || (heldOut > 0 && BatchTokenizer.IsHeldOut(Digest.Of(utf8), heldOut));
                var key = (isHeldOut, (isHeldOut ? heldOutBySource : bySource) ? record.Source : null);
                if (!series.TryGetValue(key, out var next))
                    series[key] = next = Documents(corpus, isHeldOut, key.Item2).GetEnumerator();
                if (!next.MoveNext() || next.Current.Place.Bytes != utf8.Length || next.Current.Place.Source != record.Source)
                    throw new ElasticException($"the corpus {corpus.Id.Short} was not made of the text {text.Report.Id[..12]}: document "
                        + $"{record.Id} is not where it should be; build the corpus again with the manifest");
                yield return next.Current with { Id = record.Id };
            }
        }
        finally
        {
            foreach (var documents in series.Values)
                documents.Dispose();
        }
    }

    private static IEnumerable<DocumentTokens> Documents(BuiltCorpus corpus, bool isHeldOut, string? source)
    {
        foreach (var (number, info) in (isHeldOut ? corpus.HeldOutShards : corpus.TrainShards).Index())
        {
            if (source is not null && info.Source != source)
                continue;
            using var shard = TokenShard.Open(corpus.ShardPath(info), info, corpus.Manifest.VocabularySize);
            foreach (var (index, place) in shard.Documents().Index())
                yield return new DocumentTokens(0, isHeldOut, number, index, place);
        }
    }

    /// <summary>The documents that a training sample has tokens of.</summary>
    /// <param name="sample">The number of the block that is read.</param>
    /// <exception cref="ElasticException">There is no such sample, or the corpus was made of another text.</exception>
    public static IReadOnlyList<DocumentTokens> OfSample(BuiltText text, BuiltCorpus corpus, SampleCut cut, long sample, double heldOut)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(cut);
        var map = new BlockMap(corpus.TrainShards, cut);
        if (sample < 0 || sample >= map.Blocks)
            throw new ElasticException($"there is no sample {sample}: the corpus {corpus.Id.Short} has samples 0 to {map.Blocks - 1} of "
                + $"{cut.Context} tokens");
        var (shard, block) = map.Locate(sample);
        return [.. Of(text, corpus, Split.Train, heldOut).Where(d => !d.IsHeldOut && d.Shard == shard && IsIn(d))];

        bool IsIn(DocumentTokens document) => cut.Kind is Messages.Settings.SampleKind.Documents or Messages.Settings.SampleKind.Pairs
            ? document.Index == block
            : document.Place.StartToken < (long)block * cut.Context + cut.Length
                && document.Place.StartToken + document.Place.Tokens > (long)block * cut.Context;
    }
}
