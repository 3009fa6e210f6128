using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

// How a node leaves, and how it drains: both hand over what is on its devices and take nothing new. A node that leaves ends once it is
// released; one that drains stays, says so, and takes work again when somebody wants it. Supervisors release it anew with each beat, so
// that "drained" is true of now: another node may be lost meanwhile, and with it the second copy of something.
public sealed partial class NodeCoordinator
{
    // A release answers a beat; two of them may get lost.
    private const int Fresh = 3;

    // A node that has just been let in hears within so many beats which runs there are.
    private const int FewestBeats = 2;

    private bool _isLeaving;
    private int _drains;                                                // odd while the node drains
    private int _drainsSince;
    private int _beats;

    private bool IsDraining => _drains % 2 == 1 && !_isLeaving;

    private bool TakesNoWork => _isLeaving || IsDraining;

    // Nothing is at work or waits for its acknowledgement, and every run that is open here has said just now that it needs nothing of here.
    private bool IsDrained => IsDraining && _beats - _drainsSince >= FewestBeats && !_pending.Works.Any()
        && _runs.Values.All(r => r.Openings == 0 && (!r.IsOpen || _beats - r.Released <= Fresh));

    private void Drain(NodeNews.Drain drain)
    {
        if (drain.Undo == IsDraining && !_isLeaving)
        {
            (_drains, _drainsSince) = (_drains + 1, _beats);
            foreach (var run in _runs.Values)
            {
                run.Released = null;
                if (drain.Undo)
                    run.IsStopping = false;
                else if (run.IsOpen)
                    Stop(run);
            }

            _outputs.Add(new NodeOutput.Say(drain.Undo
                ? "this node takes work again, as somebody has asked"
                : "this node drains, as somebody has asked: it takes no new work until pbm node drain --undo, or until it starts again"));
        }

        Send(new NodeReport.DrainChanged(facts.Id, drain.Request, IsDraining));
        Report();
    }

    private void Leave()
    {
        _isLeaving = true;
        foreach (var run in _runs.Values.Where(r => r.IsOpen))
            Stop(run);
        Report();
        LeaveIfReleased();
    }

    // One that answers an earlier drain says nothing of now.
    private void Note(NodeCommand.Release release)
    {
        if (release.Drains != _drains)
            return;
        RunOf(release.RunId).Released = _beats;
        LeaveIfReleased();
    }

    // The node may go when every run that is open on it has released it: others hold what only it held.
    private void LeaveIfReleased()
    {
        if (_isLeaving && _runs.Values.Where(r => r.IsOpen).All(r => r.Released is not null))
            _outputs.Add(new NodeOutput.Left());
    }
}
