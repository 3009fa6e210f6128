using System.Security.Cryptography;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>Which run a name means: the newest of that name. Part of RunsActor: used on its mailbox only.</summary>
internal sealed class RunDirectory
{
    private readonly Dictionary<RunName, RunId> _ids = [];

    // Runs whose start is in the journal. A name whose first start was refused has an id, and no run.
    private readonly HashSet<RunId> _started = [];

    public IEnumerable<RunId> Runs => _ids.Values;

    /// <summary>Names of the runs that <paramref name="which"/> selects of those that exist.</summary>
    public IEnumerable<RunName> Names(Func<RunId, bool> which) =>
        _ids.Where(r => _started.Contains(r.Value) && which(r.Value)).Select(r => r.Key);

    /// <summary>The start of the run is in the journal.</summary>
    public void Started(RunId run) => _started.Add(run);

    /// <summary>Takes over the runs of the list in the database, oldest first.</summary>
    /// <returns>Runs that had begun and are not in the list: the database was set back.</returns>
    public IReadOnlyList<RunId> Read(IReadOnlyList<ListedRun> list)
    {
        var lost = _started.Except(list.Select(r => r.Run)).Where(Knows).ToList();
        lost.ForEach(run => _ids.Remove(run.Name));
        foreach (var run in list)
        {
            _ids[new RunName(run.Name)] = run.Run;
            _started.Add(run.Run);
        }

        return lost;
    }

    /// <summary>The newest run of that name that exists; null where there is none.</summary>
    public RunId? Existing(RunName name) => Find(name) is { } id && _started.Contains(id) ? id : null;

    /// <summary>The newest run of that name, whether it exists yet or not; null where there is none.</summary>
    public RunId? Find(RunName name) => _ids.TryGetValue(name, out var id) ? id : null;

    /// <summary>True for the newest run of a name.</summary>
    public bool Knows(RunId run) => _ids.ContainsValue(run);

    /// <summary>Draws the id of a new run of that name.</summary>
    public RunId Draw(RunName name) => _ids[name] = RunId.Draw(name, RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));

    /// <summary>Takes the run that has the name in the database: perhaps another seed drew it, which supervised until just now.</summary>
    /// <param name="run">Null where the database could not be reached.</param>
    public void Entered(RunName name, RunId? run)
    {
        if (run is { } known)
            _ids[name] = known;
        else
            Forget(name);
    }

    /// <summary>Removes a name whose run could not be entered in the database, or was deleted.</summary>
    public void Forget(RunName name) => _ids.Remove(name);
}
