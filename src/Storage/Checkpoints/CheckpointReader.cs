using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Storage;

/// <summary>A checkpoint with its parameters in memory, ready to generate from.</summary>
/// <param name="Passed">Newer checkpoints that could not be loaded, and why; empty when the newest could.</param>
public sealed record LoadedCheckpoint(
    CheckpointManifest Manifest, TrainingSettings Settings, ReplicaVectors Vectors, IReadOnlyList<string> Passed) : IDisposable
{
    public void Dispose() => Vectors.Dispose();
}

/// <summary>Reads checkpoints outside of a run: to generate, or to start another run.</summary>
public static class CheckpointReader
{
    /// <summary>Loads the newest checkpoint in a run's folder whose parameters are intact.</summary>
    /// <exception cref="ElasticException">There is none.</exception>
    public static LoadedCheckpoint LoadNewest(string runFolder)
    {
        var passed = new List<string>();
        foreach (var path in CheckpointFiles.In(Path.Combine(runFolder, "checkpoints")))
        {
            ReplicaVectors? vectors = null;
            try
            {
                var manifest = CheckpointManifest.Read(path);
                var settings = SettingsText.Read(manifest.Settings);
                vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
                LoadParameters(path, manifest, settings.Model, vectors);
                return new LoadedCheckpoint(manifest, settings, vectors, passed);
            }
            catch (Exception e) when (e is IOException or ElasticException)
            {
                vectors?.Dispose();
                passed.Add($"{path}: {e.Message}");
            }
        }

        throw new ElasticException(passed.Count == 0
            ? $"{runFolder} has no checkpoint yet: train until the first one, or set checkpoint.every-rounds lower"
            : $"no checkpoint of {runFolder} is whole ({string.Join("; ", passed)}): run train again, it makes new ones");
    }

    /// <summary>Loads the parameters of the manifest at <paramref name="path"/>.</summary>
    /// <exception cref="ElasticException">It is a checkpoint of another model.</exception>
    /// <exception cref="IOException">A blob of its parameters is missing or damaged.</exception>
    public static void LoadParameters(string path, CheckpointManifest manifest, ModelSettings model, ReplicaVectors into)
    {
        var signature = Architectures.Open(model).Signature;
        if (manifest.Model != signature)
            throw new ElasticException($"{path} is a checkpoint of another model: it has {manifest.Model}, " +
                                       $"and the settings ask for {signature}; " +
                                       "set the model.* keys to the checkpoint's, or take another checkpoint");
        var blobs = new BlobStore(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, manifest.Blobs), readOnly: true);
        var parameters = blobs.ReadSet(new Digest(manifest.Parameters))[VectorSet.Parameters];
        blobs.ReadVector(parameters, into, VectorSet.Parameters);
    }
}
