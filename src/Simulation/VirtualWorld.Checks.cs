using Elastic.Coordination;
using Elastic.Foundation;

namespace Elastic.Simulation;

// What must hold of where committed bytes are.
public sealed partial class VirtualWorld
{
    /// <summary>
    /// Checks that the sets of a commit are on as many nodes as the supervisor counts; a node that has just died is excused.
    /// </summary>
    public void CheckCommit(CoordinatorCommand.CommitRound commit)
    {
        _asked = commit;
        if (_accidents.LosesBlobs)
            return;
        var staying = _nodes.Where(n => Supervisor.View.Staying.Contains(n.Id)).ToList();
        Invariant.Holds(staying.Count == commit.Nodes, $"the commit counts {commit.Nodes} nodes where {staying.Count} stay");
        foreach (var set in Supervisor.Run.Finished.Values.Select(r => r.InnerState).Append(commit.Version))
            Invariant.Holds(
                staying.Count(n => !n.IsAlive || n.Blobs.IsWhole(set)) >= Math.Min(2, staying.Count),
                $"version {commit.Round + 1} is to be committed while too few of {staying.Count} nodes hold {set.Short}");
    }

    // A node may go when others have what the run needs: those that stay, or one that still waits for Release.
    private void CheckRelease(VirtualNode leaving)
    {
        var others = _nodes.Where(n => n != leaving && Supervisor.View.Nodes.ContainsKey(n.Id) && !Supervisor.Run.IsQuarantined(n.Id))
            .ToList();
        if (_accidents.LosesBlobs || (!leaving.IsDraining && others.All(n => n.IsLeaving)))
            return;
        // A result of the open round that the node has never reported is excused: the replica is computed again.
        var run = Supervisor.Run;
        HashSet<Digest> committed = [.. run.InnerStates, .. run.Version is { } version ? [version] : Array.Empty<Digest>()];
        bool IsAwaited(Digest set) =>
            leaving.Blobs.IsWhole(set) && (committed.Contains(set) || Supervisor.View.HoldersOf(set).Contains(leaving.Id));
        foreach (var set in run.Current().Where(IsAwaited))
            Invariant.Holds(others.Any(n => !n.IsAlive || n.Blobs.IsWhole(set)),
                $"{leaving.Id} is released though only it holds {set.Short}");
    }
}
