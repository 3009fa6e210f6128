using System.Security.Cryptography;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

// Which run a name means: the newest of that name. Part of RunsActor: used on its mailbox only.
internal sealed class RunDirectory
{
    private readonly Dictionary<RunName, RunId> _ids = [];

    public IEnumerable<RunId> Runs => _ids.Values;

    /// <summary>Names of the runs that <paramref name="which"/> selects.</summary>
    public IEnumerable<RunName> Names(Func<RunId, bool> which) => _ids.Where(r => which(r.Value)).Select(r => r.Key);

    /// <summary>Takes over the runs of the list in the database, oldest first.</summary>
    public void Read(IEnumerable<ListedRun> list)
    {
        foreach (var run in list)
            _ids[new RunName(run.Name)] = run.Run;
    }

    /// <summary>The newest run of that name; null where there is none.</summary>
    public RunId? Find(RunName name) => _ids.TryGetValue(name, out var id) ? id : null;

    /// <summary>True for the newest run of a name.</summary>
    public bool Knows(RunId run) => _ids.ContainsValue(run);

    /// <summary>Draws the id of a new run of that name.</summary>
    public RunId Draw(RunName name) => _ids[name] = RunId.Draw(name, RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));

    /// <summary>Removes a name whose run could not be entered in the database.</summary>
    public void Forget(RunName name) => _ids.Remove(name);
}
