using System.Text;
using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>How far the training of a tokenizer is.</summary>
/// <param name="Bytes">UTF-8 bytes of the documents whose words are counted.</param>
/// <param name="TotalBytes">Bytes of the source files.</param>
/// <param name="Tokens">Tokens that there are; 0 while words are counted.</param>
public sealed record TokenizerProgress(long Documents, long Bytes, long TotalBytes, int Tokens);

/// <summary>A byte-level BPE that was trained.</summary>
/// <param name="Tokens">By their number, written in GPT-2's alphabet of bytes.</param>
/// <param name="Merges">In order.</param>
/// <param name="Words">Different words that it was trained on.</param>
/// <param name="Forgotten">Occurrences of rare words that were forgotten for want of memory.</param>
public sealed record TrainedTokenizer(
    IReadOnlyList<string> Tokens, IReadOnlyList<(string Left, string Right)> Merges, int Words, long Documents, long Bytes, long Forgotten)
{
    /// <summary>The token that ends a text; number 0.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>The files of the tokenizer, by name, as Hugging Face's libraries read them.</summary>
    public IReadOnlyList<(string Name, byte[] Bytes)> Files() =>
    [
        ("vocab.json", TokenizerJson.Bytes(new JsonObject(Tokens.Select((t, i) => new KeyValuePair<string, JsonNode?>(t, i))))),
        ("merges.txt", Encoding.UTF8.GetBytes($"#version: 0.2\n{string.Concat(Merges.Select(m => $"{m.Left} {m.Right}\n"))}")),
        ("tokenizer_config.json", TokenizerJson.Bytes(new JsonObject
        {
            ["tokenizer_class"] = "GPT2Tokenizer",
            ["add_prefix_space"] = false,
            ["bos_token"] = EndOfText,
            ["eos_token"] = EndOfText,
            ["unk_token"] = EndOfText,
        })),
        (TokenizerFile.FileName, TokenizerJson.ByteLevelBpe(
            Tokens.Select((t, i) => (t, i)), Merges, [(EndOfText, 0, true)], TokenizerJson.Words.Gpt2, addsSpace: false)),
    ];
}

/// <summary>Trains a tokenizer on the documents of a corpus that are not held out.</summary>
public static class TokenizerTraining
{
    /// <summary>256 bytes, the end of text, and one merge.</summary>
    public const int LeastVocabulary = 258;

    /// <summary>Four times the largest published vocabulary.</summary>
    public const int MostVocabulary = 1 << 20;

    /// <param name="files">See <see cref="CorpusSources"/>.</param>
    /// <param name="heldOut">Share of the documents that are left out, as a corpus leaves them out of training.</param>
    /// <param name="vocabulary">Tokens to make.</param>
    /// <param name="threads">Threads that count words. Their number changes no bit of the result.</param>
    /// <exception cref="ElasticException">There is no text, or a file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing was written.</exception>
    public static async Task<TrainedTokenizer> TrainAsync(
        IReadOnlyList<SourceFile> files, double heldOut, int vocabulary, int threads, IProgress<TokenizerProgress>? progress,
        CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, LeastVocabulary);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocabulary, MostVocabulary);
        if (CorpusSources.AreTokenShards(files))
            throw new ElasticException($"{files[0].Path} holds tokens already: train a tokenizer on text");
        var (statistics, counts, total) = (new ReadStatistics(), new WordCounts(), files.Sum(f => f.Length));
        var (documents, bytes) = (0L, 0L);
        var ahead = new Queue<Task<Dictionary<string, long>>>();
        foreach (var batch in DocumentBatches.Read(files, statistics, cancel))
        {
            ahead.Enqueue(Task.Run(() => WordCounts.Of(batch, heldOut), cancel));
            if (ahead.Count >= threads)
                counts.Add(await ahead.Dequeue());
            (documents, bytes) = (documents + batch.Documents.Count, statistics.Bytes);
            progress?.Report(new TokenizerProgress(documents, bytes, total, 0));
        }
        while (ahead.TryDequeue(out var next))
            counts.Add(await next);
        // A reader may take the signal for damage of its file.
        cancel.ThrowIfCancellationRequested();
        if (counts.Counts.Count == 0)
            throw new ElasticException(
                $"there is no text to train on ({documents} documents, {statistics.MalformedRecords} records that cannot be read): "
                + (ConversationRecords.Remedy(statistics) ?? "check corpus.sources, corpus.text-field and corpus.held-out"));
        var trainer = new BpeTrainer(counts.Counts, [TrainedTokenizer.EndOfText], cancel);
        var (tokens, merges) = trainer.Train(
            vocabulary, made => progress?.Report(new TokenizerProgress(documents, bytes, total, made)), cancel);
        return new TrainedTokenizer(tokens, merges, counts.Counts.Count, documents, bytes, counts.Forgotten);
    }
}
