using System.Globalization;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Writes the corpus folder from tokenized batches. Its bytes depend on the batches alone, which must come in sequence.
/// Nothing is visible under the folder's name before <see cref="Complete"/>, but for windows of training shards where runs read them
/// before. Not thread-safe.
/// </summary>
public sealed class CorpusWriter : IDisposable
{
    /// <summary>Tokens after which a shard is closed; a document is never split.</summary>
    public const long TokensPerShard = 16 << 20;

    /// <summary>
    /// Share of the bytes that may be lost to records that cannot be read. Real collections lose less than a hundredth; above a tenth,
    /// something is wrong that somebody should look at before days of training.
    /// </summary>
    public const double MostLost = 0.1;

    private readonly BuildFolder _build;
    private readonly string _folder;
    private readonly Digest _id;
    private readonly Tokenizer _tokenizer;
    private readonly Func<string?, ShardSeries> _newTrain, _newHeldOut;
    private readonly SortedDictionary<string, ShardSeries> _train = new(StringComparer.Ordinal), _heldOut = new(StringComparer.Ordinal);
    // Training shards in the order in which they were finished.
    private readonly List<ShardInfo> _finished = [];
    private readonly CorpusGrowth? _growth;
    private readonly ChatFormat? _chat;
    private readonly ShardSources _of;
    private readonly SortedDictionary<string, TextCount> _sources = new(StringComparer.Ordinal);
    private long _next;

    /// <param name="folder">The corpus folder; creates its parent where that is missing.</param>
    /// <param name="id">See <see cref="CorpusIdentity"/>.</param>
    /// <param name="tokenizer">The tokenizer that made the batches.</param>
    /// <param name="hasMarks">See <see cref="Messages.Settings.CorpusSettings.HasMarks"/>.</param>
    /// <param name="tokensPerShard">See <see cref="TokensPerShard"/>.</param>
    /// <param name="growth">Who reads the corpus while it is built; not with <see cref="ShardSources.Grouped"/>, of which the last shards
    /// are in between.</param>
    /// <param name="chat">The template that came with the tokenizer and conversations are written by; null for none.</param>
    public CorpusWriter(
        string folder, Digest id, Tokenizer tokenizer, bool hasMarks = false, long tokensPerShard = TokensPerShard,
        ShardSources of = ShardSources.Mixed, CorpusGrowth? growth = null, ChatFormat? chat = null)
    {
        if (of == ShardSources.Grouped && growth is not null)
            throw new ArgumentException("the order of shards in groups is known at the end alone", nameof(growth));
        ArgumentNullException.ThrowIfNull(tokenizer);
        (_folder, _id, _tokenizer, _growth, _chat) = (folder, id, tokenizer, growth, chat);
        _build = new BuildFolder(folder);
        _of = of;
        // Shards of all sources are numbered together, as they are opened.
        var (train, heldOut) = (0, 0);
        _newTrain = source => new ShardSeries(_build.Current, "train", () => train++, source, tokenizer, hasMarks, tokensPerShard, Finish);
        _newHeldOut = source => new ShardSeries(
            _build.Current, "held-out", () => heldOut++, source, tokenizer, hasMarks, tokensPerShard, _ => { });
    }

    /// <summary>Writes the next batch.</summary>
    /// <exception cref="InvalidOperationException">The batch is not the next one.</exception>
    public void Append(TokenizedBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Sequence != _next)
            throw new InvalidOperationException($"batch {batch.Sequence} came out of order: expected {_next}");
        _next++;
        // A part of a long line, of blanks say, of which the tokenizer leaves nothing is none for a shard: the line's next part ends it.
        foreach (var document in batch.Documents.Where(d => !d.Tokens.IsEmpty))
        {
            (document.IsHeldOut ? SeriesOf(document, _heldOut, _newHeldOut, _of == ShardSources.InTurn)
                : SeriesOf(document, _train, _newTrain, _of != ShardSources.Mixed)).Append(document);
            var sum = _sources.GetValueOrDefault(document.Source) ?? new TextCount(0, 0, 0);
            _sources[document.Source] = new TextCount(
                sum.Documents + 1, sum.Bytes + document.ByteCount, sum.Tokens + document.Tokens.Length);
        }
    }

    private static ShardSeries SeriesOf(
        TokenizedDocument document, SortedDictionary<string, ShardSeries> all, Func<string?, ShardSeries> make, bool bySource)
    {
        var source = bySource ? document.Source : "";
        if (all.TryGetValue(source, out var series))
            return series;
        if (all.Count == MixtureOrder.MostSources)
            throw new ElasticException($"corpus.mixture: the corpus has more than {MixtureOrder.MostSources} sources, the last one "
                + $"{OneLine.Of(source, 80)}: give files that belong together one source (a manifest, or the field source), or leave the "
                + "mixture out");
        if (source.Length > ShardInfo.LongestSource)
            throw new ElasticException($"corpus.mixture: a source has a name of {source.Length} characters, {OneLine.Of(source, 80)}: "
                + $"use at most {ShardInfo.LongestSource}");
        return all[source] = make(bySource ? source : null);
    }

    /// <summary>Makes the corpus durable and visible, all at once.</summary>
    /// <param name="statistics">Statistics of the reader that read the batches.</param>
    /// <exception cref="ElasticException">There is no text, none left to train on, or too much of it is lost.</exception>
    public BuiltCorpus Complete(ReadStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        var (grouped, heldOut) = (ShardsOf(_train), ShardsOf(_heldOut));
        var train = _of == ShardSources.InTurn ? _finished : grouped;
        if (train.Count + heldOut.Count == 0)
            throw new ElasticException($"the corpus is empty: no document with text was found ({statistics.EmptyDocuments} empty, " +
                                       $"{statistics.MalformedRecords} that cannot be read{Because(statistics)}); " +
                                       (ConversationRecords.Remedy(statistics)
                                           ?? "check corpus.sources, and corpus.text-field for the field of .jsonl that holds the text"));
        if (statistics.LostShare > MostLost)
            throw new ElasticException(string.Create(CultureInfo.InvariantCulture,
                $"{100 * statistics.LostShare:0.#} % of the text cannot be read ({statistics.MalformedRecords} records or rests of " +
                $"files, {statistics.LostBytes} bytes{Because(statistics)}): repair the files or leave them out (corpus.exclude)"));
        if (train.Count == 0)
            throw new ElasticException($"all {_sources.Sum(s => s.Value.Documents)} documents are held out and none is left to train on: " +
                                       "lower corpus.held-out or add documents");
        var all = train.Concat(heldOut).ToList();
        var file = WriteTokenizer();
        var manifest = new CorpusManifest(
            CorpusIdentity.FormatVersion, _id, _tokenizer.Id, _tokenizer.VocabularySize,
            all.Sum(s => s.Documents), all.Sum(s => s.Bytes), all.Sum(s => s.Tokens),
            new TextCount(heldOut.Sum(s => s.Documents), heldOut.Sum(s => s.Bytes), heldOut.Sum(s => s.Tokens)),
            statistics.InvalidUtf8Sequences, statistics.MalformedRecords, statistics.EmptyDocuments,
            [.. _sources.Select(s => new SourceCount(s.Key, s.Value.Documents, s.Value.Bytes, s.Value.Tokens))], train, heldOut,
            file?.Sha256)
        {
            ChatTemplate = WriteChat(),
        };
        if (statistics.RepairedText() is { Length: > 0 } repaired)
            DurableFile.WriteDurably(Path.Combine(_build.Current, MalformedRecord.RepairedFileName), Encoding.UTF8.GetBytes(repaired));
        if (statistics.MalformedRecords > 0)
            DurableFile.WriteDurably(
                Path.Combine(_build.Current, MalformedRecord.FileName), Encoding.UTF8.GetBytes(statistics.MalformedText()));
        DurableFile.WriteDurably(Path.Combine(_build.Current, CorpusManifest.FileName), manifest.ToJson());
        _build.Complete();
        return BuiltCorpus.Open(_folder);
    }

    private static List<ShardInfo> ShardsOf(SortedDictionary<string, ShardSeries> all) =>
        [.. all.Values.SelectMany(series => series.Complete())];

    private void Finish(ShardInfo shard)
    {
        _finished.Add(shard);
        if (_growth is not null && _finished.Count % _growth.ShardsOfWindow == 0)
            Grow(_finished);
    }

    // Each window of finished shards is made visible, the manifest last: what it names is there.
    private void Grow(List<ShardInfo> finished)
    {
        var (file, chat) = (WriteTokenizer(), WriteChat());
        CorpusManifest Of(IReadOnlyList<ShardInfo> shards) => new(
            CorpusIdentity.FormatVersion, _id, _tokenizer.Id, _tokenizer.VocabularySize, shards.Sum(s => s.Documents),
            shards.Sum(s => s.Bytes), shards.Sum(s => s.Tokens), new TextCount(0, 0, 0), 0, 0, 0, [], shards, [], file?.Sha256)
        {
            ChatTemplate = chat,
            IsGrowing = true,
        };

        // The first one, of no shard, says whose folder this is before it holds a shard.
        if (finished.Count == _growth!.ShardsOfWindow)
            _build.Publish([WriteGrowing(Of([]))]);
        _build.Publish(finished.TakeLast(_growth.ShardsOfWindow).Select(s => s.FileName)
            .Concat(file is null ? [] : [TokenizerFile.FileName]).Concat(chat is null ? [] : [ChatFolder.FileName]));
        _build.Publish([WriteGrowing(Of([.. finished]))]);
        BuiltCorpus.RemoveOutdated(_folder);
        _growth.Grown(BuiltCorpus.FindGrowing(_folder, _id)!);
    }

    private string WriteGrowing(CorpusManifest manifest)
    {
        var path = BuiltCorpus.PathOf(_build.Current, manifest);
        DurableFile.WriteDurably(path, manifest.ToJson());
        return Path.GetFileName(path);
    }

    // The copy of the tokenizer's file; null where there is none.
    private TokenizerFile? WriteTokenizer()
    {
        var file = (_tokenizer as FileTokenizer)?.Source;
        if (file is not null)
            DurableFile.WriteDurably(Path.Combine(_build.Current, TokenizerFile.FileName), file.Json);
        return file;
    }

    // The copy of the chat template that came with it; null where there is none.
    private Digest? WriteChat()
    {
        if (_chat is null)
            return null;
        var json = ChatFolder.Write(_chat);
        DurableFile.WriteDurably(Path.Combine(_build.Current, ChatFolder.FileName), json);
        return Digest.Of(json);
    }

    /// <summary>Removes everything unless <see cref="Complete"/> was reached, but for windows that runs read already.</summary>
    public void Dispose()
    {
        foreach (var series in _train.Values.Concat(_heldOut.Values))
            series.Dispose();
        _build.Dispose();
    }

    private static string Because(ReadStatistics statistics) => statistics.Reasons() is { Length: > 0 } reasons ? $": {reasons}" : "";

    // Shards of one kind: "train-00000.tokens", "train-00001.tokens", … Of one source, where that is not null.
    private sealed class ShardSeries(
        string folder, string kind, Func<int> next, string? source, Tokenizer tokenizer, bool hasMarks, long tokensPerShard,
        Action<ShardInfo> finished) : IDisposable
    {
        private readonly List<ShardInfo> _complete = [];
        private ShardWriter? _open;

        public void Append(TokenizedDocument document)
        {
            _open ??= new ShardWriter(Path.Combine(folder, $"{kind}-{next():00000}.tokens"), tokenizer, hasMarks);
            _open.Append(document);
            if (_open.Tokens >= tokensPerShard)
                Close();
        }

        public List<ShardInfo> Complete()
        {
            Close();
            return _complete;
        }

        public void Dispose() => _open?.Dispose();

        private void Close()
        {
            if (_open is null)
                return;
            _complete.Add(_open.Complete() with { Source = source });
            _open.Dispose();
            _open = null;
            finished(_complete[^1]);
        }
    }
}
