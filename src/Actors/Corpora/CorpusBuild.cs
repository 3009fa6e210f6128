using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
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
/// Turns documents into token shards: one reader, the tokenizer pool, one writer that takes the batches in order. The size of the pool
/// changes no byte of the shards, which are built once for the same sources, tokenizer and held-out share.
/// </summary>
internal sealed class CorpusBuild(IActorRef tokenizers, DataPaths paths, NodeFaults faults)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    /// <summary>What is built, as it follows from the settings and the bytes of the sources.</summary>
    /// <param name="Tokenizer">Null where it is none of a file.</param>
    internal sealed record Planned(Digest Id, IReadOnlyList<SourceFile> Files, TokenizerFile? Tokenizer, CorpusSettings Settings);

    public Task<BuiltCorpus> RunAsync(CorpusSettings settings, IProgress<CorpusProgress>? progress, CancellationToken cancel) =>
        RunAsync(Plan(settings, progress), progress, null, cancel);

    /// <summary>Reads all sources once, for their digests.</summary>
    public static Planned Plan(CorpusSettings settings, IProgress<CorpusProgress>? progress)
    {
        var found = CorpusSources.Find(settings);
        if (found.PassedOver.ToString() is { Length: > 0 } passedOver)
            progress?.Report(new CorpusProgress(0, 0, 0, 0, $"corpus: {passedOver}"));
        // A corpus is named after what its tokenizer is, and not after where it lies.
        var file = Tokenizer.IsBuiltIn(settings.Tokenizer) || TokenizerFile.IsId(settings.Tokenizer)
            ? null : TokenizerFile.Find(settings.Tokenizer);
        var (id, files) = CorpusIdentity.Identify(found.Files, settings with { Tokenizer = file?.Id ?? settings.Tokenizer });
        return new Planned(id, files, file, settings);
    }

    /// <param name="growth">Who reads the corpus while it is built; null where nobody does.</param>
    public async Task<BuiltCorpus> RunAsync(
        Planned planned, IProgress<CorpusProgress>? progress, CorpusGrowth? growth, CancellationToken cancel)
    {
        var (id, files, file, settings) = planned;
        var folder = paths.Corpus(id);
        if (BuiltCorpus.TryOpen(folder, out var built))
            return built;

        Directory.CreateDirectory(paths.Corpora);
        if (file is null && TokenizerFile.IsId(settings.Tokenizer))
            throw new ElasticException(
                $"the tokenizer {settings.Tokenizer} is known by its digest alone: name its folder or file with corpus.tokenizer");
        var tokenizer = file is null ? Tokenizer.Open(settings.Tokenizer) : FileTokenizer.Open(file);
        if (settings.WholeWords && !tokenizer.MarksWords)
            throw new ElasticException(
                $"corpus.whole-words = true: the tokenizer {settings.Tokenizer} does not mark the pieces that go on with a word, as BERT's "
                + "does with ##; use one that does (corpus.tokenizer), or leave it out");
        if (CorpusSources.AreTokenShards(files) && settings.Mixture.Count > 0)
            throw new ElasticException($"corpus.mixture: {files[0].Path} holds tokens that do not say their source: name the text itself, "
                + "or leave the mixture out");
        if (CorpusSources.AreTokenShards(files))
            return LlmcCorpus.Build(folder, id, tokenizer, files, cancel);

        var totalBytes = files.Sum(f => f.Length);
        var statistics = new ReadStatistics();
        using var writer = new CorpusWriter(
            folder, id, tokenizer, settings.HasMarks, faults.TokensPerShard, bySource: settings.Mixture.Count > 0, Watched(growth));
        var (documents, bytes, tokens) = (0L, 0L, 0L);
        var ahead = new Queue<Task<TokenizedBatch>>();
        foreach (var batch in DocumentBatches.Read(files, statistics, cancel))
        {
            ahead.Enqueue(tokenizers.Ask<TokenizedBatch>(new Tokenize(tokenizer, batch, settings), Deadline, cancel));
            if (ahead.Count > 2 * Environment.ProcessorCount)
                Write(await ahead.Dequeue());
        }

        while (ahead.TryDequeue(out var next))
            Write(await next);
        return writer.Complete(statistics);

        CorpusGrowth? Watched(CorpusGrowth? read) => faults.AfterWindow is not { } after || read is null ? read : read with
        {
            Grown = grown =>
            {
                read.Grown(grown);
                after(grown.TrainShards.Count);
            },
        };

        void Write(TokenizedBatch batch)
        {
            writer.Append(batch);
            documents += batch.Documents.Count;
            bytes += batch.Documents.Sum(d => (long)d.ByteCount);
            tokens += batch.Documents.Sum(d => (long)d.Tokens.Length);
            progress?.Report(new CorpusProgress(documents, bytes, totalBytes, tokens));
        }
    }
}
