using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Makes a corpus folder of token shards of llm.c by copying them, so that the folder needs no other file. Shards with the word "val" in
/// their name are held out; where there is none among several shards, the last one is. Where
/// <c>corpus.validation</c> names shards, those are held out and no others.
/// </summary>
public static partial class LlmcCorpus
{
    /// <exception cref="ElasticException">A file is no such shard, the tokenizer is not gpt2, or nothing is left to train on.</exception>
    public static BuiltCorpus Build(
        string folder, Digest id, Tokenizer tokenizer, IReadOnlyList<SourceFile> files, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(files);
        if (tokenizer is not Gpt2Tokenizer gpt2)
            throw new ElasticException($"corpus.tokenizer = {tokenizer.Id} does not fit token shards of llm.c ({files[0].Path}): " +
                                       $"use corpus.tokenizer = {Gpt2Tokenizer.Name}");
        var heldOut = files.Any(f => f.IsValidation) ? files.Where(f => f.IsValidation).ToHashSet() : files.Where(IsHeldOut).ToHashSet();
        if (heldOut.Count == 0 && files.Count > 1)
            heldOut.Add(files[^1]);
        if (heldOut.Count == files.Count)
            throw new ElasticException($"corpus.sources names only held-out shards ({files[0].Name}): " +
                                       "add one without the word \"val\" in its name");
        using var build = new BuildFolder(folder);
        var (train, held, sources) = (new List<ShardInfo>(), new List<ShardInfo>(), new List<SourceCount>());
        foreach (var file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var kind = heldOut.Contains(file) ? held : train;
            var name = $"{(kind == held ? "held-out" : "train")}-{kind.Count:00000}.bin";
            var shard = Copy(file with { Cancel = cancellationToken }, Path.Combine(build.Current, name), gpt2);
            kind.Add(shard);
            sources.Add(new SourceCount(file.Name, shard.Documents, shard.Bytes, shard.Tokens));
        }
        var manifest = new CorpusManifest(
            CorpusIdentity.FormatVersion, id, gpt2.Id, gpt2.VocabularySize,
            sources.Sum(s => s.Documents), sources.Sum(s => s.Bytes), sources.Sum(s => s.Tokens),
            new TextCount(held.Sum(s => s.Documents), held.Sum(s => s.Bytes), held.Sum(s => s.Tokens)), 0, 0, 0, sources, train, held);
        DurableFile.WriteDurably(Path.Combine(build.Current, CorpusManifest.FileName), manifest.ToJson());
        build.Complete();
        return BuiltCorpus.Open(folder);
    }

    /// <summary>In place of a reader of text.</summary>
    internal static IEnumerable<Document> Refuse(SourceFile file, ReadStatistics statistics) =>
        throw new ElasticException($"{file.Path} holds tokens, not text: build it with LlmcCorpus");

    /// <summary>Whether the name says so: "fineweb_val_000000.bin", and not "interval_0.bin".</summary>
    internal static bool IsHeldOut(SourceFile file) => HeldOutWord().IsMatch(Path.GetFileName(file.Path));

    /// <summary>Whether the first versions held it out.</summary>
    internal static bool WasHeldOut(SourceFile file) => Path.GetFileName(file.Path).Contains("val", StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex("(?<![a-z])val(id|idation)?(?![a-z])",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex HeldOutWord();

    // Counts while it copies: documents by their end-of-text tokens, bytes by those of the tokens.
    private static ShardInfo Copy(SourceFile file, string target, Gpt2Tokenizer tokenizer)
    {
        using var source = file.OpenRead();
        using var copy = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        var count = source.ReadAtLeast(buffer.AsSpan(0, LlmcShard.HeaderSize), LlmcShard.HeaderSize, throwOnEndOfStream: false);
        var tokens = LlmcShard.ParseTokens(buffer.AsSpan(0, count), source.Length, file.Path, LlmcShard.RemedyOfSources);
        if (tokens == 0)
            throw new ElasticException($"{file.Path} holds no tokens: {LlmcShard.RemedyOfSources}");
        var (documents, bytes, isHeader) = (0L, 0L, true);
        do
        {
            hash.AppendData(buffer, 0, count);
            copy.Write(buffer, 0, count);
            for (var i = 0; i < count && !isHeader; i += sizeof(ushort))
            {
                var token = BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(i));
                if (token > tokenizer.EndOfText)
                    throw new ElasticException(
                        $"{file.Path} holds token {token} at byte {copy.Position - count + i}, outside of GPT-2's vocabulary: " +
                        "it was made with another tokenizer; leave it out");
                if (token == tokenizer.EndOfText)
                    documents++;
                else
                    bytes += tokenizer.ByteCount(token);
            }
            isHeader = false;
        }
        while ((count = source.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0);
        copy.Flush(flushToDisk: true);
        var digest = Digest.Of(hash);
        file.CheckUnchanged(digest);
        return new ShardInfo(Path.GetFileName(target), digest, tokens, bytes, documents);
    }
}
