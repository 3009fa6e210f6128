using System.Text.Json;
using System.Text.Json.Serialization;
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
public sealed record CorpusManifest(
    int Format, Digest Id, string Tokenizer, int VocabularySize, long Documents, long Bytes, long Tokens, TextCount HeldOut,
    long InvalidUtf8Sequences, long MalformedRecords, long EmptyDocuments,
    IReadOnlyList<SourceCount> Sources, IReadOnlyList<ShardInfo> TrainShards, IReadOnlyList<ShardInfo> HeldOutShards)
{
    /// <summary>The manifest's name in the corpus folder.</summary>
    public const string FileName = "corpus.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NewLine = "\n",
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new DigestConverter() },
    };

    /// <summary>What to do about a damaged file of a corpus.</summary>
    internal static string Remedy(string path) =>
        $"delete the folder {Path.GetDirectoryName(Path.GetFullPath(path))} and give the same command again, which builds the corpus anew";

    internal byte[] ToJson() => [.. JsonSerializer.SerializeToUtf8Bytes(this, Json), (byte)'\n'];

    /// <exception cref="ElasticException">The file is not a manifest of this version.</exception>
    internal static CorpusManifest FromJson(string path)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize<CorpusManifest>(File.ReadAllBytes(path), Json);
            if (manifest is not null && manifest.Format == CorpusIdentity.FormatVersion)
                return manifest;
            throw new ElasticException(
                $"{path} has format {manifest?.Format}, this version reads {CorpusIdentity.FormatVersion}: {Remedy(path)}");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"{path} is not a corpus manifest ({e.Message}): {Remedy(path)}", e);
        }
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
/// <param name="Bytes">UTF-8 bytes of their text.</param>
/// <param name="Documents">Documents in the file.</param>
public sealed record ShardInfo(string FileName, Digest Sha256, long Tokens, long Bytes, long Documents);
