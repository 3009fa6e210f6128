using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>
/// Decides how a node leaves, and how it drains: both hand over what is on its devices and take nothing new. A node that leaves ends once
/// it is released; one that drains stays, says so, and takes work again when somebody wants it. Supervisors release it anew with each
/// beat, so that "drained" is true of now: another node may be lost meanwhile, and with it the second copy of something.
/// </summary>
internal sealed class NodeDeparture(NodeCoordinatorContext context)
{
    // A release answers a beat; two of them may get lost.
    private const int Fresh = 3;

    // A node that has just been let in hears within so many beats which runs there are.
    private const int FewestBeats = 2;

    private bool _isLeaving;
    private int _drainsSince;

    /// <summary>How often the node has begun to drain, or ended that: odd while it drains.</summary>
    public int Drains { get; private set; }

    public bool IsDraining => Drains % 2 == 1 && !_isLeaving;

    public bool TakesNoWork => _isLeaving || IsDraining;

    /// <summary>
    /// True where nothing is at work or waits for its acknowledgement, and every run that is open here has said just now that it needs
    /// nothing of here.
    /// </summary>
    public bool IsDrained => IsDraining && context.Beats - _drainsSince >= FewestBeats && !context.Pending.Works.Any()
        && context.Runs.Values.All(r => r.Openings == 0 && (!r.IsOpen || IsReleasedBy(r)));

    /// <summary>Begins to drain, or takes work again.</summary>
    public void Drain(NodeNews.Drain drain)
    {
        if (drain.Undo == IsDraining && !_isLeaving)
        {
            (Drains, _drainsSince) = (Drains + 1, context.Beats);
            foreach (var run in context.Runs.Values)
            {
                run.Released = null;
                if (drain.Undo)
                    run.IsStopping = false;
                else if (run.IsOpen)
                    context.Stop(run);
            }

            context.Add(new NodeOutput.Say(drain.Undo
                ? "this node takes work again, as somebody has asked"
                : "this node drains, as somebody has asked: it takes no new work until pbm node drain --undo, or until it starts again"));
        }

        context.Send(new NodeReport.DrainChanged(context.Facts.Id, drain.Request, IsDraining));
    }

    /// <summary>Begins to leave: the process is to end.</summary>
    public void Leave()
    {
        _isLeaving = true;
        foreach (var run in context.Runs.Values.Where(r => r.IsOpen))
            context.Stop(run);
    }

    /// <summary>Notes that a run needs nothing of this node. What answers an earlier drain says nothing of now.</summary>
    public void Note(NodeCommand.Release release)
    {
        if (release.Drains != Drains)
            return;
        context.RunOf(release.RunId).Released = context.Beats;
        EndIfReleased();
    }

    /// <summary>
    /// Lets the process end when every run that is open on the node has released it just now: others hold what only it held. What was said
    /// to it long ago, while it drained, may not hold any more.
    /// </summary>
    public void EndIfReleased()
    {
        if (_isLeaving && context.Runs.Values.Where(r => r.IsOpen).All(IsReleasedBy))
            context.Add(new NodeOutput.Left());
    }

    private bool IsReleasedBy(OpenedRun run) => context.Beats - run.Released <= Fresh;
}
