using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

/// <summary>Builds small corpora the way the actors do, on this thread.</summary>
internal static class Corpora
{
    /// <summary>Documents of different lengths, from "Web" and "Books".</summary>
    public static List<Document> Documents(int count) =>
        [.. from i in Enumerable.Range(0, count)
            let text = $"Document {i}: {string.Join(' ', Enumerable.Range(i, 20 + i % 50))}."
            select new Document(i % 3 == 0 ? "Books" : "Web", $"d{i}", text)];

    /// <summary>Batches of three documents.</summary>
    public static List<DocumentBatch> Batches(IEnumerable<Document> documents) =>
        [.. documents.Chunk(3).Select((d, i) => new DocumentBatch(i, d))];

    public static BuiltCorpus Build(
        string folder, IEnumerable<Document> documents, string tokenizer = "byte", double heldOut = 0.2, long tokensPerShard = 2000,
        ShardSources of = ShardSources.Mixed) =>
        Build(folder, documents, Tokenizer.Open(tokenizer), heldOut, tokensPerShard, of);

    public static BuiltCorpus Build(
        string folder, IEnumerable<Document> documents, Tokenizer open, double heldOut = 0.2, long tokensPerShard = 2000,
        ShardSources of = ShardSources.Mixed)
    {
        using var writer = new CorpusWriter(folder, Foundation.Digest.Of("id"u8), open, tokensPerShard: tokensPerShard, of: of);
        foreach (var batch in Batches(documents))
            writer.Append(BatchTokenizer.Tokenize(open, batch, heldOut));
        return writer.Complete(new ReadStatistics());
    }

    /// <summary>All tokens of a shard file.</summary>
    public static int[] Tokens(string path)
    {
        using var shard = TokenShard.Open(path);
        var tokens = new int[shard.TokenCount];
        shard.ReadTokens(0, tokens);
        return tokens;
    }

    /// <summary>A shard of llm.c.</summary>
    public static byte[] LlmcBytes(IReadOnlyList<int> tokens, int version = 1)
    {
        var bytes = new byte[1024 + 2 * tokens.Count];
        BitConverter.TryWriteBytes(bytes.AsSpan(0), 20240520);
        BitConverter.TryWriteBytes(bytes.AsSpan(4), version);
        BitConverter.TryWriteBytes(bytes.AsSpan(8), tokens.Count);
        for (var i = 0; i < tokens.Count; i++)
            BitConverter.TryWriteBytes(bytes.AsSpan(1024 + 2 * i), (ushort)tokens[i]);
        return bytes;
    }

    public static CorpusSettings Settings(string source) => CorpusSettings.Defaults with { Sources = [source] };
}
