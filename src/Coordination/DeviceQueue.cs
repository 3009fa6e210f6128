using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>
/// Decides which run's work gets a node's devices, where several want them: that of the highest priority. A replica of a lower one hands
/// over at its next step, as if its run were paused, and its supervisor has it go on from there later, here or elsewhere. Runs of one
/// priority take turns, in the order in which their work came.
/// </summary>
internal sealed class DeviceQueue(NodeCoordinatorContext context)
{
    // Between two rounds a run has no work on devices for a moment. Were another run's replica begun meanwhile, it would have to be fetched
    // and handed over again for a few steps.
    private const int Reserved = 3;

    private DevicePool Devices => context.Devices;

    /// <summary>Begins what waits and may, and has replicas hand over that are in its way.</summary>
    public void StartWaiting()
    {
        var least = Reservation()?.Priority ?? int.MinValue;
        foreach (var work in Devices.Start(context.NextWork, PriorityOf, least))
            context.Add(new NodeOutput.Start(work.Number, work.Order, work.Devices));
        foreach (var number in Devices.Yield(PriorityOf, least))
            context.Add(new NodeOutput.Stop(number));
    }

    /// <summary>Gives devices that are free to what waits, and divides the rest among the replicas on them.</summary>
    public void Divide()
    {
        StartWaiting();
        foreach (var move in Devices.Divide())
            context.Add(move.Devices.Count > 0 ? new NodeOutput.Move(move.Number, move.Devices) : new NodeOutput.Stop(move.Number));
    }

    /// <summary>Notes that a job's work has ended on a device: devices are kept free for its next round.</summary>
    public void NoteUse(JobId? job)
    {
        if (job is { } of && context.Runs.TryGetValue(new RunId(of.Value), out var run))
            run.Used = context.Beats;
    }

    /// <summary>Tells supervisors, once a second, whose work waits behind which other run's.</summary>
    public void Report()
    {
        var waiting = Devices.Waiting.ToList();
        if (waiting.Count == 0)
            return;
        context.Add(new NodeOutput.Reschedule());                      // a reservation may be over
        var ahead = Devices.InUse.Keys.Select(j => context.Runs.GetValueOrDefault(new RunId(j.Value))).Append(Reservation())
            .OfType<OpenedRun>().OrderByDescending(r => PriorityOf(r.Id.Job)).ToList();
        foreach (var order in waiting)
            if (ahead.Find(r => r.Id.Job != order.Job) is { } behind)
                context.Send(new NodeReport.Queued(
                    context.Facts.Id, new RunId(order.Job.Value), order.Key, behind.Id, PriorityOf(behind.Id.Job)));
    }

    // An evaluation has the priority of the most important run that is at work here: it takes turns with that.
    private int PriorityOf(JobId job) => context.Runs.GetValueOrDefault(new RunId(job.Value)) is { Kind: JobKind.Run } run
        ? run.Priority : AtWork().Select(r => r.Run.Priority).DefaultIfEmpty().Max();

    // Runs that have work on devices or waiting for some, or had a moment ago, in which case devices that are free are kept for them.
    private IEnumerable<(OpenedRun Run, bool IsBetweenRounds)> AtWork()
    {
        var present = Devices.InUse.Keys.Concat(Devices.Waiting.Select(o => o.Job)).ToHashSet();
        return context.Runs.Values.Where(r => r.Kind == JobKind.Run)
            .Select(r => (Run: r, IsBetweenRounds: !present.Contains(r.Id.Job)))
            .Where(r => !r.IsBetweenRounds || (!r.Run.IsStopping && context.Beats - r.Run.Used <= Reserved));
    }

    private OpenedRun? Reservation() => AtWork().Where(r => r.IsBetweenRounds).Select(r => r.Run).MaxBy(r => r.Priority);
}
