using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>The contents of a built corpus; stored as <c>corpus.json</c>, written last.</summary>
/// <param name="Format">Version of the folder's layout, <see cref="CorpusIdentity.FormatVersion"/>.</param>
/// <param name="Id">See <see cref="CorpusIdentity"/>.</param>
/// <param name="Tokenizer">Id of the tokenizer.</param>
/// <param name="VocabularySize">Number of the tokenizer's tokens.</param>
/// <param name="Documents">Documents, held-out ones included.</param>
/// <param name="Bytes">UTF-8 bytes of their text.</param>
/// <param name="Tokens">Their tokens, end-of-text included.</param>
/// <param name="HeldOut">The part of the above that is held out.</param>
/// <param name="InvalidUtf8Sequences">Replaced by U+FFFD while reading.</param>
/// <param name="MalformedRecords">Skipped while reading; <c>malformed.txt</c> lists the first of them.</param>
/// <param name="EmptyDocuments">Skipped while reading.</param>
/// <param name="Sources">Counts per source, ordered by name.</param>
/// <param name="TrainShards">In the order of their text.</param>
/// <param name="HeldOutShards">In the order of their text.</param>
/// <param name="TokenizerFile">SHA-256 of the copy of the tokenizer's file; null where the tokenizer came from none.</param>
public sealed record CorpusManifest(
    int Format, Digest Id, string Tokenizer, int VocabularySize, long Documents, long Bytes, long Tokens, TextCount HeldOut,
    long InvalidUtf8Sequences, long MalformedRecords, long EmptyDocuments,
    IReadOnlyList<SourceCount> Sources, IReadOnlyList<ShardInfo> TrainShards, IReadOnlyList<ShardInfo> HeldOutShards,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Digest? TokenizerFile = null)
{
    /// <summary>
    /// The corpus is being built: the manifest has the training shards that are finished, in their final order, and nothing of what is held
    /// out. Counts are of these shards alone.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsGrowing { get; init; }

    /// <summary>SHA-256 of the copy of the chat template that came with the tokenizer; null where none was used.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Digest? ChatTemplate { get; init; }

    /// <summary>The manifest's name in the corpus folder.</summary>
    public const string FileName = "corpus.json";

    /// <summary>What the name of a note ends with that stays where a folder was deleted, because documents in it were taken down.</summary>
    public const string TakenDownSuffix = ".taken-down";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NewLine = "\n",
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new DigestConverter() },
    };

    /// <summary>Why a folder was deleted; null where it was not, or where nobody knows.</summary>
    public static string? WhyTakenDown(string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(folder) + TakenDownSuffix;
        return File.Exists(path)
            ? $"{folder} was deleted, because {OneLine.Of(File.ReadAllText(path).Trim(), 200)}: what was read of it can no longer be proven"
            : null;
    }

    /// <summary>What to do about a damaged file of a corpus.</summary>
    internal static string Remedy(string path) =>
        $"delete the folder {Path.GetDirectoryName(Path.GetFullPath(path))} and give the same command again, which builds the corpus anew";

    internal byte[] ToJson() => [.. JsonSerializer.SerializeToUtf8Bytes(this, Json), (byte)'\n'];

    /// <summary>Reads a manifest whose fields are all there and mean something: it may come from another node.</summary>
    /// <param name="path">Where it is, or is to be: for messages.</param>
    /// <exception cref="ElasticException">The bytes are not a manifest of this version.</exception>
    internal static CorpusManifest FromJson(ReadOnlySpan<byte> json, string path)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize<CorpusManifest>(json, Json);
            if (manifest is null || manifest.Format != CorpusIdentity.FormatVersion)
                throw new ElasticException(
                    $"{path} has format {manifest?.Format}, this version reads {CorpusIdentity.FormatVersion}: {Remedy(path)}");
            return manifest.Problem() is { } problem ? throw Wrong(path, problem) : manifest;
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            throw Wrong(path, e.Message, e);
        }
    }

    private static ElasticException Wrong(string path, string why, Exception? cause = null) =>
        new($"{path} is not a corpus manifest ({OneLine.Of(why)}): {Remedy(path)}", cause!);

    private string? Problem()
    {
        var shards = TrainShards.Concat(HeldOutShards).ToList();
        long[] counts =
        [
            Documents, Bytes, Tokens, HeldOut.Documents, HeldOut.Bytes, HeldOut.Tokens, InvalidUtf8Sequences, MalformedRecords,
            EmptyDocuments, .. Sources.SelectMany(s => new[] { s.Documents, s.Bytes, s.Tokens }),
        ];
        if (VocabularySize is < 1 or > Messages.Settings.ModelSettings.MostVocabulary)
            return $"its tokenizer has {VocabularySize} tokens";
        if (counts.Any(n => n < 0))
            return "one of its counts is below 0";
        if (Corpus.TokenizerFile.IsId(Tokenizer) != TokenizerFile.HasValue
            || (TokenizerFile is { } file && !Corpus.TokenizerFile.IsIdOf(Tokenizer, file)))
            return "its tokenizer and its tokenizerFile do not fit";
        return shards.GroupBy(s => s.FileName).FirstOrDefault(s => s.Count() > 1) is { } twice
            ? $"it names the shard {twice.Key} twice" : null;
    }

    private sealed class DigestConverter : JsonConverter<Digest>
    {
        public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetString() is { } hex && Digest.IsDigest(hex)
                ? new Digest(hex)
                : throw new JsonException("a digest is missing, or is none");

        public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Hex);
    }
}

/// <summary>An amount of text.</summary>
public sealed record TextCount(long Documents, long Bytes, long Tokens);

/// <summary>How much text came from one source.</summary>
public sealed record SourceCount(string Name, long Documents, long Bytes, long Tokens);

/// <summary>One file of tokens.</summary>
/// <param name="FileName">Inside the corpus folder.</param>
/// <param name="Sha256">SHA-256 of the whole file, which can therefore travel as a blob.</param>
/// <param name="Tokens">Tokens in the file.</param>
/// <param name="Bytes">UTF-8 bytes of their text, without that of prompts.</param>
/// <param name="Documents">Documents in the file.</param>
/// <exception cref="InvalidDataException">The name is none that Elastic gives a shard, or a number cannot be.</exception>
public sealed record ShardInfo(string FileName, Digest Sha256, long Tokens, long Bytes, long Documents)
{
    /// <summary>A shard of 16 Mi tokens and one more document, which is an array in memory.</summary>
    public const long MostTokens = int.MaxValue;

    private static readonly Regex OurName = new(
        @"\A(train|held-out)-[0-9]{5,9}\.(tokens|bin)\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture);

    // Names of sources that a shard may hold: far more than there are files in a corpus.
    private const long MostSourceBytes = 64 << 20;

    /// <inheritdoc cref="ShardInfo(string, Digest, long, long, long)" path="/param[@name='FileName']"/>
    /// <remarks>A manifest comes from other nodes too, and the name becomes a path here: to read, to write and to serve.</remarks>
    public string FileName { get; init => field = Named(value); } = Named(FileName);

    /// <inheritdoc cref="ShardInfo(string, Digest, long, long, long)" path="/param[@name='Tokens']"/>
    public long Tokens { get; init => field = Counted(value); } = Counted(Tokens);

    /// <inheritdoc cref="ShardInfo(string, Digest, long, long, long)" path="/param[@name='Bytes']"/>
    public long Bytes { get; init => field = Counted(value, long.MaxValue); } = Counted(Bytes, long.MaxValue);

    /// <inheritdoc cref="ShardInfo(string, Digest, long, long, long)" path="/param[@name='Documents']"/>
    public long Documents { get; init => field = Counted(value); } = Counted(Documents);

    /// <summary>False for a shard of llm.c, which does not say where its documents begin.</summary>
    [JsonIgnore]
    public bool ListsDocuments => !FileName.EndsWith(".bin", StringComparison.Ordinal);

    /// <summary>The source of all its documents; null where they are of several, or nobody has looked.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Source { get; init => field = OfSource(value); }

    /// <summary>Characters of <see cref="Source"/>.</summary>
    public const int LongestSource = 4096;

    /// <summary>Tokens that are not scored: those of prompts.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Uncounted { get; init => field = Counted(value); }

    /// <summary>More than any file of these contents has: a peer that names more bytes is not believed.</summary>
    public long MostFileBytes =>
        LlmcShard.HeaderSize + (Tokens * sizeof(int) + Documents * ShardHeader.DocumentSize + MostSourceBytes) / 8 * 9;

    private static string? OfSource(string? name) => name is { Length: > LongestSource }
        ? throw new InvalidDataException($"a shard's source has a name of {name.Length} characters: use at most {LongestSource}")
        : name;

    private static string Named(string name) => OurName.IsMatch(name)
        ? name
        : throw new InvalidDataException($"the shard's file name \"{OneLine.Of(name, 100)}\" is none: use e.g. train-00000.tokens");

    private static long Counted(long count, long most = MostTokens) => count >= 0 && count <= most
        ? count
        : throw new InvalidDataException($"a shard counts {count}: use 0 to {most}");

}
