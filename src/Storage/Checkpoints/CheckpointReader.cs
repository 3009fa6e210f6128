using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
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
    public static LoadedCheckpoint LoadNewest(string runFolder) => Load(runFolder, null);

    /// <summary>Loads the checkpoint that was taken after a round; the newest one that is intact where none is named.</summary>
    /// <exception cref="ElasticException">There is none.</exception>
    public static LoadedCheckpoint Load(string runFolder, int? round)
    {
        var (passed, others) = (new List<string>(), new List<int>());
        foreach (var (path, manifest, problem) in CheckpointFiles.Read(Path.Combine(runFolder, "checkpoints")))
        {
            if (round is { } wanted && CheckpointFiles.VersionOf(path) is var version && version != wanted)
            {
                if (manifest is not null)
                    others.Add(manifest.Version);
                continue;
            }
            if (manifest is null)
            {
                passed.Add($"{path}: {problem}");
                continue;
            }
            try
            {
                var settings = manifest.ReadSettings();
                return new LoadedCheckpoint(manifest, settings, LoadParameters(path, manifest, settings.Model), passed);
            }
            catch (Exception e) when (e is IOException or ElasticException)
            {
                passed.Add($"{path}: {e.Message}");
            }
        }

        if (passed.Count > 0)
            throw new ElasticException($"no checkpoint of {runFolder}{(round is null ? "" : $" of round {round}")} is whole "
                + $"({string.Join("; ", passed)}): run train again, it makes new ones, or fetch it again");
        throw new ElasticException($"{runFolder} has no checkpoint" + (others.Count > 0
            ? $" of round {round}: it has {(others.Count == 1 ? "that" : "those")} of {string.Join(", ", others.Order())}"
            : ": train until the first one, or set checkpoint.every-rounds lower; in a cluster another node may have it: pbm run fetch "
                + "brings it here"));
    }

    /// <summary>
    /// Loads the parameters of the manifest at <paramref name="path"/>, once all is known to fit: nothing is allocated before.
    /// </summary>
    /// <exception cref="ElasticException">It is a checkpoint of another model.</exception>
    /// <exception cref="IOException">A blob of its parameters is missing or damaged.</exception>
    public static ReplicaVectors LoadParameters(string path, CheckpointManifest manifest, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(model);
        var parameters = CheckpointParameters.Find(path, manifest, model);
        var layout = parameters.Layout;
        var (needed, free) = ((double)layout.Length * sizeof(float), MachineMemory.Now().FreeBytes);
        if (needed > free)
            throw new ElasticException($"the parameters of {path} take {ByteSize.Text(needed)} of memory, and {ByteSize.Text(free)} are " +
                                       "free: free some memory, or take a checkpoint of a smaller model");
        var vectors = new ReplicaVectors(layout);
        try
        {
            parameters.ReadInto(vectors);
            return vectors;
        }
        catch
        {
            vectors.Dispose();
            throw;
        }
    }

    /// <summary>Says that a manifest has another fingerprint than its parameters; null where both are the same.</summary>
    /// <exception cref="InvalidDataException">The set has no parameters.</exception>
    public static string? Difference(string path, CheckpointManifest manifest, VectorSet parameters)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Fingerprint.Hex == manifest.Fingerprint ? null
            : $"{path} says that its parameters have the fingerprint {manifest.Fingerprint[..12]}, and they have "
                + $"{parameters.Fingerprint.Short}: one of them is damaged; take another checkpoint";
    }
}
