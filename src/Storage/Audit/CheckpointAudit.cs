using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Storage;

/// <summary>Compares a run's checkpoints on this disk with its journal, and their blobs with their digests.</summary>
/// <param name="run">The run where its journal ends.</param>
/// <param name="versions">What a checkpoint says of each version of the journal.</param>
/// <param name="settings">The settings that made a version.</param>
internal sealed class CheckpointAudit(RunState run, IReadOnlyList<Checkpoint> versions, Func<int, TrainingSettings> settings)
{
    private readonly HashSet<Digest> _intact = [];                            // checkpoints share frozen parameters

    /// <summary>What does not fit, in a sentence that names the file; null where all fits.</summary>
    /// <exception cref="OperationCanceledException">It was ended: it reads every byte of the parameters and moments.</exception>
    public string? Problem(FoundCheckpoint found, CancellationToken cancel)
    {
        var (path, manifest, unreadable) = found;
        if (manifest is null)
            return $"{path} cannot be read: {unreadable}";
        if (manifest.Version >= versions.Count)
            return $"{path} is of round {manifest.Version}, but the journal ends at round {run.Round}";
        var known = versions[manifest.Version];
        if (Other(manifest, known) is { } other)
            return $"{path} has {other} than the journal at round {manifest.Version}";
        // Retention may remove a checkpoint while a run goes on.
        return Damage(path, manifest, cancel) is { } damage && File.Exists(path) ? damage : null;
    }

    private string? Other(CheckpointManifest manifest, Checkpoint known) =>
        manifest.ChainHead != known.ChainHead.Hex ? "another hash chain"
        : manifest.Fingerprint != known.Fingerprint.Hex ? "another fingerprint"
        : manifest.Parameters != known.Parameters.Hex ? "other parameters"
        : !manifest.InnerStates.SequenceEqual(known.InnerStates.Select(s => s.Hex)) ? "other moments"
        : manifest.TokensSeen != known.TokensSeen ? "another number of tokens"
        : manifest.Run != run.Id.Value ? "the id of another run"
        : manifest.Corpus != run.Corpus?.Hex ? "another corpus"
        : Differences(manifest) is [var first, ..] ? $"other settings ({first})"
        : null;

    // A run may be made longer, and end sooner by its scores, than it was to when the checkpoint was taken.
    private IReadOnlyList<string> Differences(CheckpointManifest manifest)
    {
        var (then, now) = (manifest.ReadSettings(), settings(manifest.Version));
        return SettingsDifference.Between(now, then with
        {
            Run = then.Run with { Rounds = now.Run.Rounds, Epochs = now.Run.Epochs },
            Evaluation = now.Evaluation,
        });
    }

    private string? Damage(string path, CheckpointManifest manifest, CancellationToken cancel)
    {
        var blobs = new BlobStore(Path.Combine(Path.GetDirectoryName(path)!, CheckpointManifest.BlobFolder), readOnly: true);
        try
        {
            foreach (var set in manifest.InnerStates.Append(manifest.Parameters).Select(hex => new Digest(hex)))
                if (blobs.BlobsOf(set).FirstOrDefault(b => !IsIntact(blobs, b, cancel)) is { Hex: not null } damaged)
                    return $"{path} names the blob {blobs.PathOf(damaged)}, which is missing or damaged";
            return CheckpointReader.Difference(path, manifest, blobs.ReadSet(new Digest(manifest.Parameters)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return $"{path} names parameters or moments that cannot be read: {e.Message}";
        }
    }

    private bool IsIntact(BlobStore blobs, Digest blob, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return _intact.Contains(blob) || (blobs.IsIntact(blob) && _intact.Add(blob));
    }
}
