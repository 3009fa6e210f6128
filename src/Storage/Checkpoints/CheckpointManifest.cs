using System.Text.Json;
using Elastic.Foundation;

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
/// <param name="Blobs">The blob folder, relative to the manifest's.</param>
public sealed record CheckpointManifest(
    int Format, string Run, int Version, string Model, string Settings, string Corpus, string Tokenizer, string Fingerprint,
    string Parameters, IReadOnlyList<string> InnerStates, long TokensSeen, string ChainHead, string Blobs)
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <exception cref="ElasticException">There is no such file, or it is no checkpoint manifest.</exception>
    public static CheckpointManifest Read(string path)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize<CheckpointManifest>(File.ReadAllBytes(path), Json);
            if (manifest is { Format: 1 } && !Digest.IsDigest(manifest.Parameters))
                throw new ElasticException($"{path} is no checkpoint manifest (its parameters are no digest)");
            return manifest is { Format: 1 }
                ? manifest
                : throw new ElasticException(
                    $"{path} is a checkpoint of format {manifest?.Format}, and this version of Elastic reads format 1");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ElasticException($"there is no checkpoint {path}: name the round-NNNNNN.json of a run's checkpoints folder", e);
        }
        catch (JsonException e)
        {
            throw new ElasticException($"{path} is no checkpoint manifest ({e.Message})", e);
        }
    }
}
