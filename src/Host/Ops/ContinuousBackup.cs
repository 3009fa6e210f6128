using Elastic.Actors;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Ops;

/// <summary>
/// Keeps a backup up to date while runs go on: after each new checkpoint that is in this data directory what is new is copied. A copy that
/// is interrupted, or fails, goes on later where it was; the backup before it stays whole.
/// </summary>
/// <param name="views">Views of all runs.</param>
/// <param name="say">Is told of each copy, and of one that fails.</param>
internal sealed class ContinuousBackup(
    DataPaths data, DatabaseAddress database, BackupBucket to, Func<CancellationToken, Task<RunView[]>> views, Action<string> say)
    : IDisposable
{
    // Checkpoints are minutes apart.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    private static readonly Backoff Retry = new(TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5));

    private string _copied = "";
    private int _failures;

    /// <summary>The backup that a node's settings ask for; null where they name no store, or the node keeps no journal.</summary>
    /// <exception cref="ElasticException">The store's address is none.</exception>
    public static ContinuousBackup? Of(NodeSettings settings, ElasticNode node, Action<string> say) =>
        settings.BackupStore is { } address && node.Database is { } database
            ? new ContinuousBackup(
                new DataPaths(Path.GetFullPath(settings.DataDir), settings.CorporaDir), database, BackupBucket.At(address),
                node.Control.RunsAsync, say)
            : null;

    /// <summary>Copies until the end of the process.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
                await Task.Delay(await CopyAsync(cancel) ? Look : Retry.After(_failures - 1), cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The next process goes on.
        }
    }

    /// <summary>Copies what is new once more, at the end of all runs.</summary>
    public async Task LastAsync(CancellationToken cancel)
    {
        try
        {
            if (!await CopyAsync(cancel))
                say($"the backup in {to} lacks the last checkpoint: the same command copies it, or elastic backup --out");
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The next process goes on.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => to.Dispose();

    // False where it failed.
    private async Task<bool> CopyAsync(CancellationToken cancel)
    {
        try
        {
            var checkpoints = await CheckpointsAsync(cancel);
            if (checkpoints.Length == 0 || checkpoints == _copied)
                return true;
            var made = await new DataBackup(data, database, to, say).RunAsync(cancel);
            (_copied, _failures) = (checkpoints, 0);
            say($"copied to {to}: {string.Join(", ", made.Runs.Where(r => r.Checkpoint is not null)
                .Select(r => $"run {r.Run} after round {r.Checkpoint}"))}");
            return true;
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException or DatabaseUnavailableException)
        {
            if (_failures++ == 0)
                say($"the backup in {to} is not up to date ({e.Message.TrimEnd('.')}): trying again; nothing is lost here");
            return false;
        }
    }

    // Which ones there are in this data directory.
    private async Task<string> CheckpointsAsync(CancellationToken cancel)
    {
        try
        {
            return string.Join(' ', (await views(cancel)).Where(v => v.Checkpoint is not null)
                .Select(v => Path.Combine(data.Checkpoints(v.RunId), Path.GetFileName(v.Checkpoint!)))
                .Where(File.Exists).Order(StringComparer.Ordinal));
        }
        catch (ElasticException)
        {
            return _copied;                                            // the supervisors are moving, or busy: the next look is soon
        }
    }
}
