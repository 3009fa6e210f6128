using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>
/// The curves of a database's runs. Each event is read once: whoever looks at a long run again and again costs no more than what has come
/// since. Thread-safe.
/// </summary>
public sealed class RunCurves(DatabaseAddress database)
{
    // A curve takes a hundred bytes a round.
    private const int MostRuns = 32;

    private readonly Dictionary<RunId, Entry> _entries = [];          // guarded by itself

    /// <summary>The newest run of that name; null where there is none.</summary>
    /// <exception cref="ElasticException">Its events cannot be read.</exception>
    /// <exception cref="DatabaseUnavailableException">The database cannot be read.</exception>
    public async Task<RunCurve?> ReadAsync(RunName name, CancellationToken cancel)
    {
        if ((await new RunList(database.ReadOnly()).ReadAsync(cancel)).LastOrDefault(r => r.Name == name.Value) is not { } listed)
            return null;
        var entry = EntryOf(listed.Run);
        await entry.Gate.WaitAsync(cancel);
        try
        {
            entry.Fold.Add(await JournalReader.ReadAsync(database, listed.Run, entry.Fold.Events, cancel));
            return entry.Fold.Curve;
        }
        catch
        {
            // An event that does not follow may have been added in part: the next look begins anew.
            lock (_entries)
                _entries.Remove(listed.Run);
            throw;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private Entry EntryOf(RunId run)
    {
        lock (_entries)
        {
            if (_entries.TryGetValue(run, out var entry))
                return entry;
            if (_entries.Count >= MostRuns)
                _entries.Clear();
            return _entries[run] = new Entry(new RunCurveFold(run), new SemaphoreSlim(1));
        }
    }

    private sealed record Entry(RunCurveFold Fold, SemaphoreSlim Gate);
}
