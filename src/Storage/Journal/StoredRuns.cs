using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Storage;

/// <summary>What a run was started with, so that its name alone goes on with it.</summary>
public sealed record RememberedRun(RunId Id, TrainingSettings Settings, Digest Corpus)
{
    /// <summary>Its settings after all changes in mid-run, those that are planned among them.</summary>
    public TrainingSettings Newest { get; init; } = Settings;
}

/// <summary>A run as the journal has it.</summary>
/// <param name="State">Null where its events cannot be read.</param>
/// <param name="Problem">Why they cannot.</param>
public sealed record StoredRun(RunId Id, RunName Name, RunState? State, string? Problem);

/// <summary>Reads runs from the journal without a supervisor, whether seeds are writing it or not.</summary>
public static class StoredRuns
{
    /// <summary>All runs of the list, oldest first.</summary>
    /// <exception cref="DatabaseUnavailableException">The database cannot be read.</exception>
    public static async Task<IReadOnlyList<StoredRun>> ReadAsync(DatabaseAddress database, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        var runs = new List<StoredRun>();
        foreach (var listed in await new RunList(database.ReadOnly()).ReadAsync(cancel))
        {
            try
            {
                var events = await JournalReader.ReadAsync(database, listed.Run, cancel);
                runs.Add(new StoredRun(
                    listed.Run, new RunName(listed.Name), events.Aggregate(RunState.Empty(listed.Run), Run.Apply), null));
            }
            catch (ElasticException e)
            {
                runs.Add(new StoredRun(listed.Run, new RunName(listed.Name), null, e.Message));
            }
        }

        return runs;
    }

    /// <summary>The newest run of that name as all its events say; null where there is none.</summary>
    /// <exception cref="ElasticException">Its events cannot be read.</exception>
    /// <exception cref="DatabaseUnavailableException">The database cannot be read.</exception>
    public static Task<RunState?> StateAsync(DatabaseAddress database, RunName name, CancellationToken cancel) =>
        NewestAsync(database, name, JournalReader.ReadAsync, cancel);

    /// <summary>
    /// The newest run of that name, of whose state nothing but settings, corpus and checkpoints is right: nothing else is read. Null where
    /// there is none.
    /// </summary>
    /// <inheritdoc cref="StateAsync" path="/exception"/>
    public static Task<RunState?> CheckpointsAsync(DatabaseAddress database, RunName name, CancellationToken cancel) =>
        NewestAsync(database, name, JournalReader.ReadCheckpointsAsync, cancel);

    /// <summary>The newest run of that name; null where there is none, also in a database that no seed has used yet.</summary>
    /// <exception cref="ElasticException">Its events cannot be read.</exception>
    /// <exception cref="DatabaseUnavailableException">The database cannot be read.</exception>
    public static async Task<RememberedRun?> FindAsync(DatabaseAddress database, RunName name, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        try
        {
            return await NewestAsync(database, name, JournalReader.ReadSettingsAsync, cancel) is { } run
                ? new RememberedRun(run.Id, SettingsInForce.AtStart(run), run.Corpus!.Value) { Newest = SettingsInForce.Newest(run) }
                : null;
        }
        catch (DatabaseUnavailableException e) when (e.IsUnused || database.IsMissing)
        {
            return null;
        }
    }

    private static async Task<RunState?> NewestAsync(
        DatabaseAddress database, RunName name, Func<DatabaseAddress, RunId, CancellationToken, Task<IReadOnlyList<RunEvent>>> read,
        CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        if ((await new RunList(database.ReadOnly()).ReadAsync(cancel)).LastOrDefault(r => r.Name == name.Value) is not { } listed)
            return null;
        var run = (await read(database, listed.Run, cancel)).Aggregate(RunState.Empty(listed.Run), Run.Apply);
        return run.Exists ? run : null;
    }
}
