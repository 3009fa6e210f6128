using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>
/// Decides which runs are open on a node. Opening a run may take a while, since its corpus may have to be fetched; orders and commands for
/// the run wait meanwhile.
/// </summary>
internal sealed class RunOpenings(NodeCoordinatorContext context, DeviceQueue queue)
{
    private readonly Dictionary<RunId, int> _futile = [];               // openings in progress of runs that were deleted meanwhile

    /// <summary>Begins to open a run, or to open it anew.</summary>
    public void Begin(NodeCommand.OpenRun open)
    {
        var run = context.RunOf(open.RunId);
        run.Openings++;
        run.Kind = open.Kind;
        run.BeginAt(open.Number);
        context.Add(new NodeOutput.UseSources(open.Sources));
        context.Add(new NodeOutput.Open(open));
    }

    /// <summary>True where an order or a command may be carried out now; else it waits, or its supervisor is told that it cannot.</summary>
    public bool Admits(OpenedRun run, object what)
    {
        if (run.Openings > 0)
            run.Held.Add(what);
        else if (!run.IsOpen)
            context.Send(new NodeReport.RunUnopened(context.Facts.Id, run.Id, run.WhyNot));
        return run is { Openings: <= 0, IsOpen: true };
    }

    /// <summary>Notes the end of an opening.</summary>
    /// <returns>What has waited for it, in order.</returns>
    public IReadOnlyList<object> Note(NodeInput.Opened opened)
    {
        if (IsFutile(opened.Run))
            return [];
        var run = context.RunOf(opened.Run);
        run.Openings--;
        run.IsOpen |= opened.WhyNot is null;
        run.WhyNot = opened.WhyNot;
        if (opened.WhyNot is null)
        {
            var isOther = run.Priority != opened.Priority;
            (run.MostDevices, run.MicroBatches, run.Priority) = (opened.MostDevices, opened.MicroBatches, opened.Priority);
            run.Groups = new DeviceGroups(opened.GroupSizes);
            if (isOther)
                context.Add(new NodeOutput.Reschedule());              // its work may go before other work now
            if (context.Devices.SetMost(run.Id.Job, run.MostOf(context.Devices.Devices)))
                queue.Divide();
        }
        else
            context.Send(new NodeReport.RunUnopened(context.Facts.Id, run.Id, opened.WhyNot));
        if (run.Openings > 0)
            return [];                                                 // the run is being opened again already
        object[] held = [.. run.Held];
        run.Held.Clear();
        return held;
    }

    /// <summary>Forgets a run, and deletes what is stored of it.</summary>
    public void Delete(RunId run)
    {
        if (context.Runs.Remove(run, out var deleted) && deleted.Openings > 0)
            _futile[run] = _futile.GetValueOrDefault(run) + deleted.Openings;
        context.Add(new NodeOutput.Delete(run));
    }

    // The run was deleted while it was opened: what the opening has made goes, too. A run that is opened anew meanwhile keeps what it has.
    private bool IsFutile(RunId run)
    {
        if (!_futile.TryGetValue(run, out var openings))
            return false;
        if (openings > 1)
            _futile[run] = openings - 1;
        else
            _futile.Remove(run);
        if (!context.Runs.TryGetValue(run, out var anew) || (anew.Openings == 0 && !anew.IsOpen))
            context.Add(new NodeOutput.Delete(run));
        return true;
    }
}
