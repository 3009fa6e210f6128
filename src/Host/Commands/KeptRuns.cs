using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>A run of a data directory: what the journal has of it, and what the disk has.</summary>
/// <param name="Stored">Null for a folder of which the journal knows nothing.</param>
/// <param name="Bytes">Bytes of the run's folder; 0 where there is none.</param>
internal sealed record KeptRun(RunId Id, StoredRun? Stored, RunFolder Folder, long Bytes)
{
    /// <summary>Where the run stands, in a word or two.</summary>
    public string State => Stored switch
    {
        null => "not in the journal",
        { State: null } => "unreadable",
        { State.IsFinished: true } => "finished",
        { State.IsBreak: true } => "paused",
        { State.IsPaused: true } => "stopped",
        _ => "not finished",
    };
}

/// <summary>The runs of a data directory, for <c>elastic run</c>.</summary>
internal sealed class KeptRuns
{
    private KeptRuns(DataDirectory data, DatabaseAddress? database, IReadOnlyList<KeptRun> all) =>
        (Data, Database, All) = (data, database, all);

    public DataDirectory Data { get; }

    /// <summary>The journal's database; null in the data directory of a worker, which has none.</summary>
    public DatabaseAddress? Database { get; }

    /// <summary>All runs, by name and then by id.</summary>
    public IReadOnlyList<KeptRun> All { get; }

    /// <summary>Total size of all folders of runs.</summary>
    public long Bytes => All.Sum(r => r.Bytes);

    /// <param name="database">Where <c>--database</c> says that the journal is; null where it was not given.</param>
    /// <exception cref="NotFoundException">There is no such data directory, and no database was named.</exception>
    /// <exception cref="SettingsException">What names the database is no address of one.</exception>
    /// <exception cref="ElasticException">The journal, or the data directory, cannot be read.</exception>
    /// <exception cref="DatabaseUnavailableException">The journal cannot be read now, and may be later.</exception>
    public static async Task<KeptRuns> ReadAsync(DataDirectory data, string? database, CancellationToken cancel)
    {
        var address = DatabaseAddresses.JournalOf(database, data);
        if (address is null || Directory.Exists(data.Root))
            data.CheckReadable();
        try
        {
            var stored = address is null ? [] : await StoredRuns.ReadAsync(address, cancel);
            return new KeptRuns(data, address,
            [
                .. stored.Select(s => s.Id).Union(data.RunIds).Distinct()
                    .Select(id => new KeptRun(id, stored.FirstOrDefault(s => s.Id == id), data.Run(id), SizeOf(data.Run(id).Root)))
                    .OrderBy(r => r.Id.Name.Value, StringComparer.Ordinal).ThenBy(r => r.Id.Value, StringComparer.Ordinal),
            ]);
        }
        catch (DatabaseUnavailableException e) when (!e.IsTransient)
        {
            throw new ElasticException(
                $"the journal {address} cannot be read ({e.Message}): "
                + "name the data directory with --data-dir, or its database with --database", e);
        }
    }

    /// <summary>The runs of a name: the one in the journal, and folders that earlier runs of the name have left.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public IReadOnlyList<KeptRun> Named(RunName name)
    {
        var named = All.Where(r => r.Id.Name == name).ToList();
        var names = All.Select(r => r.Id.Name.Value).Distinct().ToList();
        return named.Count > 0 ? named : throw new NotFoundException(
            $"there is no run {name} in {Data.Root}: " +
            (names.Count == 0
                ? "there are no runs at all"
                : $"{EditDistance.Suggest(name.Value, names)}; all of them: elastic run list"));
    }

    /// <summary>
    /// Those of a name that may be deleted here. The directory's own journal is this process's alone; of one that seeds share, any of them
    /// may be at work on what the journal lists, so only folders that it does not list are.
    /// </summary>
    /// <exception cref="NotFoundException">There is no run of that name.</exception>
    /// <exception cref="ElasticException">The journal lists all of them, and seeds share it.</exception>
    public IReadOnlyList<KeptRun> Deletable(RunName name)
    {
        var named = Named(name);
        if (Database is not { } journal || DatabaseAddresses.IsOwn(journal, Data))
            return named;
        var unlisted = named.Where(r => r.Stored is null).ToList();
        return unlisted.Count > 0 ? unlisted : throw new ElasticException(
            $"run {named[0].Id} is in the journal {journal}, which seeds share, and one of them may be at work on it: delete it with "
            + $"pbm run delete -n {name}, and then what is left of it here with this command");
    }

    /// <summary>Removes a run from the list of the journal, and its folder.</summary>
    public async Task DeleteAsync(KeptRun run, CancellationToken cancel)
    {
        if (Database is { } database && run.Stored is not null)
            await new RunList(database).RemoveAsync(run.Id, cancel);
        try
        {
            if (Directory.Exists(run.Folder.Root))
                Directory.Delete(run.Folder.Root, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"{run.Folder.Root} cannot be removed: {e.Message} Remove it by hand", e);
        }
    }

    /// <summary>Bytes of all files below a folder; files that go meanwhile count as none.</summary>
    public static long SizeOf(string folder)
    {
        if (!Directory.Exists(folder))
            return 0;
        var bytes = 0L;
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            try
            {
                bytes += file.Length;
            }
            catch (FileNotFoundException)
            {
                continue;
            }
        }

        return bytes;
    }
}
