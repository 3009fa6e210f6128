using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Corpora;

/// <summary>How far a corpus build is.</summary>
/// <param name="BytesRead">UTF-8 bytes of the documents read so far.</param>
/// <param name="TotalBytes">Bytes of the source files; documents may be smaller (markup) or larger (compression).</param>
/// <param name="Notice">Something to say once, instead of how far it is: what the sources hold and the corpus does not.</param>
public sealed record CorpusProgress(long DocumentsRead, long BytesRead, long TotalBytes, long TokensWritten, string? Notice = null);

/// <summary>
/// Turns documents into token shards: one reader, many tokenizers, one writer that takes the batches in order. Who makes the tokens
/// changes no byte of the shards, which are built once for the same sources, tokenizer and held-out share.
/// </summary>
internal sealed class CorpusBuild(IActorRef tokenizers, DataPaths paths, NodeFaults faults)
{
    /// <param name="others">Who makes the tokens; null for this process's pool.</param>
    public Task<BuiltCorpus> RunAsync(
        CorpusSettings settings, IProgress<CorpusProgress>? progress, ITokenPass? others, CancellationToken cancel) =>
        RunAsync(Find(settings, progress, cancel), progress, null, others, cancel);

    /// <param name="growth">Who reads the corpus while it is built; null where nobody does.</param>
    /// <inheritdoc cref="RunAsync(CorpusSettings, IProgress{CorpusProgress}?, ITokenPass?, CancellationToken)"/>
    public async Task<BuiltCorpus> RunAsync(
        NamedCorpus named, IProgress<CorpusProgress>? progress, CorpusGrowth? growth, ITokenPass? others, CancellationToken cancel)
    {
        var (id, files, settings, folder) = (named.Id, named.Files, named.Settings, paths.Corpus(named.Id));
        if (named.Built is { } built)
        {
            try
            {
                CorpusTexts.Note(folder, files);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A folder that others share and only they may write: what they build they note.
            }
            return built;
        }

        paths.MakeCorpora();
        CorpusTexts.Note(folder, files);
        var tokenizer = OpenTokenizer(named);
        if (CorpusSources.AreTokenShards(files))
            return LlmcCorpus.Build(folder, id, tokenizer, files, cancel);

        var totalBytes = files.Sum(f => f.Length);
        var statistics = new ReadStatistics();
        using var writer = new CorpusWriter(
            folder, id, tokenizer, settings.HasMarks, faults.TokensPerShard,
            settings.ReadsInTurn ? ShardSources.InTurn : settings.Mixture.Count > 0 ? ShardSources.Grouped : ShardSources.Mixed,
            Watched(growth),
            settings.ChatTemplate == ChatTemplate.Tokenizer ? files.Select(f => f.Reading.Chat).FirstOrDefault() : null);
        var (documents, bytes, tokens) = (0L, 0L, 0L);
        var pass = others ?? new TokenizerPool(tokenizers, faults.BuildStep);
        var plan = new TokenPlan(tokenizer, settings.HeldOutShare, settings.WholeWords);
        await foreach (var batch in pass.RunAsync(
            plan, DocumentBatches.Read(files, statistics, pass.CharactersOf(totalBytes), settings.ReadsInTurn, cancel), cancel))
        {
            writer.Append(batch);
            documents += batch.Documents.Count;
            bytes += batch.Documents.Sum(d => (long)d.ByteCount);
            tokens += batch.Documents.Sum(d => (long)d.Tokens.Length);
            progress?.Report(new CorpusProgress(documents, bytes, totalBytes, tokens));
        }
        cancel.ThrowIfCancellationRequested();
        faults.BuildStep?.Invoke("shards");
        return writer.Complete(statistics);

        CorpusGrowth? Watched(CorpusGrowth? read) => faults.AfterWindow is not { } after || read is null ? read : read with
        {
            Grown = grown =>
            {
                read.Grown(grown);
                after(grown.TrainShards.Count);
            },
        };
    }

    /// <inheritdoc cref="Find(CorpusSettings, Action{string}, CancellationToken)"/>
    public NamedCorpus Find(CorpusSettings settings, IProgress<CorpusProgress>? progress, CancellationToken cancel) =>
        Find(settings, line => progress?.Report(new CorpusProgress(0, 0, 0, 0, line)), cancel);

    /// <summary>
    /// The corpus that these settings name, whether it is built or not: reads all sources, for their digests. Nothing is stored.
    /// </summary>
    /// <param name="say">Takes a line about what the sources hold and the corpus does not.</param>
    public NamedCorpus Find(CorpusSettings settings, Action<string> say, CancellationToken cancel)
    {
        var found = CorpusSources.Find(settings, cancel);
        if (found.PassedOver.ToString() is { Length: > 0 } passedOver)
            say($"corpus: {passedOver}");
        // A corpus is named after what its tokenizer is, and not after where it lies.
        var file = Tokenizer.IsBuiltIn(settings.Tokenizer) || TokenizerFile.IsId(settings.Tokenizer)
            ? null : TokenizerFile.Find(settings.Tokenizer);
        var (id, files) = CorpusIdentity.Identify(
            found.Files, settings with { Tokenizer = file?.Id ?? settings.Tokenizer }, cancel);
        return new NamedCorpus(id, files, file, settings, BuiltCorpus.TryOpen(paths.Corpus(id), out var built) ? built : null);
    }

    /// <summary>The tokenizer of a corpus that is still to be built.</summary>
    /// <exception cref="ElasticException">The corpus cannot be built by these settings.</exception>
    public static Tokenizer OpenTokenizer(NamedCorpus named)
    {
        var settings = named.Settings;
        if (named.TokenizerFile is null && TokenizerFile.IsId(settings.Tokenizer))
            throw new ElasticException(
                $"the tokenizer {settings.Tokenizer} is known by its digest alone: name its folder or file with corpus.tokenizer");
        var tokenizer = named.TokenizerFile is { } file ? FileTokenizer.Open(file) : Tokenizer.Open(settings.Tokenizer);
        if (settings.WholeWords && !tokenizer.MarksWords)
            throw new ElasticException(
                $"corpus.whole-words = true: the tokenizer {settings.Tokenizer} does not mark the pieces that go on with a word, as BERT's "
                + "does with ##; use one that does (corpus.tokenizer), or leave it out");
        if (CorpusSources.AreTokenShards(named.Files) && settings.Mixture.Count > 0)
            throw new ElasticException(
                $"corpus.mixture: {named.Files[0].Path} holds tokens that do not say their source: name the text itself, "
                + "or leave the mixture out");
        return tokenizer;
    }
}

/// <summary>A corpus by what it is made of.</summary>
/// <param name="Files">Files of the sources, with their contents' digests.</param>
/// <param name="TokenizerFile">Null for a tokenizer without one.</param>
/// <param name="Built">Null where it is not built here.</param>
internal sealed record NamedCorpus(
    Digest Id, IReadOnlyList<SourceFile> Files, TokenizerFile? TokenizerFile, CorpusSettings Settings, BuiltCorpus? Built);
