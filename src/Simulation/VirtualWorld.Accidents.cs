using Elastic.Foundation;

namespace Elastic.Simulation;

// What goes wrong, at random times, until peace is made.
public sealed partial class VirtualWorld
{
    private void Accident()
    {
        if (_isPeace)
            return;
        var often = _accidents.HandsOver ? 9 : _accidents.Devices ? 17 : -1;
        Schedule(Milliseconds(50, often > 0 || Plan.Stages > 1 ? 500 : 1500), Accident);
        if (ChangesSettings() || HitsStages())
            return;
        switch (often > 0 && Chance.Next(2) == 0 ? often : Chance.Next(_accidents.LosesBlobs ? 20 : 19))
        {
            case 0 or 1 when Live.Count() < 5:
                Join();
                break;
            case 2 when Any(MayGo) is { } dead:
                Kill(dead, comesBack: false);
                break;
            case 3 when Any(MayGo) is { } dead:
                Kill(dead, comesBack: true);
                break;
            case 4 when Any(MayGo) is { } away:                            // long enough to be taken for lost, or not
                away.IsCutOff = true;
                Schedule(Milliseconds(200, 12_000), () => away.IsCutOff = false);
                break;
            case 5 or 6 when Any(n => !_accidents.Gentle || MayGo(n)) is { } suspected:
                Inside(0, () => Supervisor.Lose(suspected.Id));
                break;
            case 7 when Supervisor.IsThere:
                CrashSupervisor();
                break;
            case 8 when Any(MayGo) is { } drained && ++_goings % 2 == 0:
                drained.Drain(undo: false);
                After(drained, Milliseconds(500, 10_000), () => drained.Drain(undo: true));
                break;
            case 8 when Any(MayGo) is { } leaving:
                leaving.Leave();
                Schedule(Milliseconds(5000, 30_000), leaving.Die);          // a node does not wait for Release for ever
                break;
            case 9 when Supervisor.IsThere:
                Supervisor.Interrupt();
                Schedule(Milliseconds(10, 3000), GoOn);
                break;
            case 10 when Any(n => n.Slowness <= 1) is { } slow:
                slow.Slowness = Chance.Next(5, 50);
                Schedule(Milliseconds(1000, 20_000), () => slow.Slowness = 1);
                break;
            case 11 when !_nodes.Any(n => n.IsFull) && Any(n => !_accidents.Gentle || MayGo(n)) is { } full:
                full.IsFull = true;
                Schedule(Milliseconds(500, 10_000), () => full.IsFull = false);
                break;
            case 12 when !_nodes.Any(n => n.IsBroken) && Any(n => !_accidents.Gentle || MayGo(n)) is { } broken:
                broken.IsBroken = true;
                Schedule(Milliseconds(500, 60_000), () => broken.IsBroken = false);
                break;
            // For good, so that the others have to finish without it.
            case 13 when !_accidents.Gentle && !_nodes.Any(n => n.Hangs) && Any(n => !n.IsWalled && MayGo(n)) is { } hung:
                hung.Hangs = true;
                break;
            case 14 when !_accidents.Gentle && _nodes.Count(n => n.IsWalled) < 2
                && Any(n => !n.IsSeed && !n.Hangs && MayGo(n)) is { } walled:
                walled.IsWalled = true;
                break;
            case 15 when !_accidents.Gentle && Chance.Next(3) == 0 && Supervisor.IsThere:
                CrashSupervisor();
                Supervisor.RestoreDatabase();
                Schedule(5000, GoOn);                                      // by whoever restored it
                break;
            case 16 when Supervisor.IsThere:
                Supervisor.LoseTerm();
                break;
            case 17 or 18 when Any(n => n.HasDevices) is { } changed:
                changed.ChangeDevices(mayLoseAll: !_accidents.Gentle);
                break;
            case 19 when Any(_ => true) is { } unlucky:
                unlucky.Blobs.Lose(Chance);
                break;
        }
    }

    // Most accidents while several nodes compute a replica are theirs: the run pauses, one of them drains, one or two are cut off from all
    // others.
    private bool HitsStages()
    {
        if (Plan.Stages == 1 || !Supervisor.IsThere || Live.SelectMany(n => n.StagesAtWork()).FirstOrDefault() is not { } nodes
            || Chance.Next(5) == 0)
            return false;
        var isTwo = !_accidents.Gentle && nodes.Count > 2 && Chance.Next(3) > 0;
        var hit = nodes.Skip(isTwo ? 1 : 0).Where(MayGo).OrderBy(_ => Chance.Next()).Take(isTwo ? 2 : 1).ToList();
        switch (isTwo ? 2 : Chance.Next(3))
        {
            case 0:
                Supervisor.Interrupt();
                Schedule(Milliseconds(10, 3000), GoOn);
                return true;
            case 1 when hit.Count > 0:
                hit[0].Drain(undo: false);
                After(hit[0], Milliseconds(500, 5000), () => hit[0].Drain(undo: true));
                return true;
            default:
                foreach (var away in hit)
                {
                    away.IsCutOff = true;
                    Schedule(Milliseconds(200, 3000), () => away.IsCutOff = false);
                }

                return hit.Count > 0;
        }
    }

    // With a liar, three honest nodes stay. In a gentle world a node goes only when no other is going and others hold all that is
    // committed.
    private bool MayGo(VirtualNode node) =>
        (!_accidents.Liar || (!node.Lies && Live.Count(IsFit) > 3))
        && (!_accidents.Gentle
            || (IsSettled() && Committed().All(set => Live.Any(n => n != node && !n.IsLeaving && n.Blobs.IsWhole(set)))));

    // The supervisor's view is up to date, and no node is leaving, resting, or about to rest: with two nodes, a broken one and a loss are
    // two losses.
    private bool IsSettled() => Live.Count(n => !n.IsLeaving) > 1 && !_nodes.Any(n => n.IsFull || n.IsBroken)
        && Supervisor.IsThere && Supervisor.View.Nodes.Values.All(n => !n.Leaving)
        && Live.Select(n => n.Id).ToHashSet().SetEquals(Supervisor.View.Nodes.Keys);

    // The sets that are committed, or are just being committed.
    private IEnumerable<Digest> Committed()
    {
        var run = Supervisor.Run;
        IEnumerable<Digest> version = run.Version is { } v
            ? [v]
            : _nodes.Any(n => n.Blobs.Has(VirtualArithmetic.First)) ? [VirtualArithmetic.First] : [];
        IEnumerable<Digest> next = _asked?.Round == run.Round ? [_asked.Version, .. run.Finished.Values.Select(r => r.InnerState)] : [];
        return [.. run.InnerStates, .. version, .. next];
    }

    private void Kill(VirtualNode node, bool comesBack)
    {
        node.Die();
        Schedule(Milliseconds(5, 3000), () =>
        {
            if (!node.IsAlive)
                Inside(0, () => Supervisor.Lose(node.Id));
        });
        if (comesBack)
            Schedule(Milliseconds(50, 8000), node.Restart);
    }
}
