using System.Text.Json;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using KnownTokenizer = Elastic.Corpus.Tokenizer;
using TokenizerFile = Elastic.Corpus.TokenizerFile;

namespace Elastic.Storage;

/// <summary>The manifest file of a checkpoint: written last, so that all that it names is on the disk.</summary>
/// <param name="Format">1.</param>
/// <param name="Version">Rounds that the parameters contain.</param>
/// <param name="Model">Signature of the model; see <see cref="Messages.Settings.ModelSettings.Signature"/>.</param>
/// <param name="Settings">Canonical text of the run's settings.</param>
/// <param name="Corpus">Digest of the corpus.</param>
/// <param name="Tokenizer">Id of the tokenizer.</param>
/// <param name="Parameters">Vector set of the version.</param>
/// <param name="InnerStates">Vector set of each replica's moments, in replica order.</param>
/// <param name="Blobs">The blob folder, relative to the manifest's: always <see cref="BlobFolder"/>.</param>
public sealed record CheckpointManifest(
    int Format, string Run, int Version, string Model, string Settings, string Corpus, string Tokenizer, string Fingerprint,
    string Parameters, IReadOnlyList<string> InnerStates, long TokensSeen, string ChainHead, string Blobs)
{
    /// <summary>
    /// Where a run's blobs are, seen from its manifests. A manifest that names another folder would read what is not its run's.
    /// </summary>
    public const string BlobFolder = "../blobs";

    // A manifest has some kilobytes, and 66 bytes more for each replica.
    private const int LargestFile = 64 << 20;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <summary>The settings of the run, of which <see cref="Read"/> has checked that they can be read.</summary>
    public TrainingSettings ReadSettings() => SettingsText.Read(Settings);

    /// <summary>Reads a manifest whose fields are all there and mean something.</summary>
    /// <exception cref="ElasticException">There is no such file, or it is no checkpoint manifest.</exception>
    public static CheckpointManifest Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LargestFile })
                throw new ElasticException($"{path} is no checkpoint manifest (it has more than {LargestFile >> 20} MiB)");
            var manifest = JsonSerializer.Deserialize<CheckpointManifest>(RegularFile.Read(path, LargestFile), Json);
            if (manifest is not { Format: 1 })
                throw new ElasticException(
                    $"{path} is a checkpoint of format {manifest?.Format}, and this version of Elastic reads format 1");
            return manifest.Problem() is { } problem
                ? throw new ElasticException($"{path} is no checkpoint manifest ({OneLine.Of(problem)})")
                : manifest;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ElasticException($"there is no checkpoint {path}: name the round-NNNNNN.json of a run's checkpoints folder", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"the checkpoint {path} cannot be read ({e.Message.TrimEnd('.')}): mend that, or name another one", e);
        }
        catch (JsonException e)
        {
            throw new ElasticException($"{path} is no checkpoint manifest ({OneLine.Of(e.Message)})", e);
        }
    }

    private string? Problem()
    {
        (string Name, string? Value)[] digests =
        [
            ("parameters", Parameters), ("fingerprint", Fingerprint), ("chainHead", ChainHead), ("corpus", Corpus),
            .. (InnerStates ?? []).Select(state => ("innerStates", (string?)state)),
        ];
        if (digests.FirstOrDefault(d => !Digest.IsDigest(d.Value)) is { Name: { } name })
            return $"its {name} {(name.EndsWith('s') && name != "corpus" ? "are" : "is")} no digest";
        if (InnerStates is null || Run is null || Model is null || Settings is null || Tokenizer is null)
            return "a field is missing: run, model, settings, tokenizer and innerStates are needed";
        if (!RunId.IsId(Run))
            return "its run is no id of a run";
        if (Version < 0 || TokensSeen < 0)
            return $"its version {Version} or tokensSeen {TokensSeen} is below 0";
        if (Blobs?.Replace('\\', '/') != BlobFolder)
            return $"its blobs are in \"{Blobs}\", and only {BlobFolder} is read: put the blobs beside the folder of the manifest";
        try
        {
            var model = ReadSettings().Model;
            if (model.Problems().FirstOrDefault() is { } unusable)
                return unusable;
            if (model.Signature != Model)
                return $"it is of {Model}, and its settings are of {model.Signature}";
            // The file of any other tokenizer lies in the run's folder, and is compared when it is opened.
            if (TokenizerFile.IsId(Tokenizer))
                return null;
            var tokens = KnownTokenizer.Open(Tokenizer).VocabularySize;
            return tokens > model.Vocabulary ? $"its tokenizer {Tokenizer} has {tokens} tokens, and its model {model.Vocabulary}" : null;
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
    }
}
