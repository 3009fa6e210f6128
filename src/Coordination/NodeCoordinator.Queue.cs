using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

// Which run's work gets the node's devices, where several want them: that of the highest priority. A replica of a lower one hands over at
// its next step, as if its run were paused, and its supervisor has it go on from there later, here or elsewhere. Runs of one priority take
// turns, in the order in which their work came.
public sealed partial class NodeCoordinator
{
    // Between two rounds a run has no work on devices for a moment. Were another run's replica begun meanwhile, it would have to be fetched
    // and handed over again for a few steps.
    private const int Reserved = 3;

    private void StartWaiting()
    {
        var least = Reservation()?.Priority ?? int.MinValue;
        foreach (var work in _devices.Start(() => ++_works, PriorityOf, least))
            _outputs.Add(new NodeOutput.Start(work.Number, work.Order, work.Devices));
        foreach (var number in _devices.Yield(PriorityOf, least))
            _outputs.Add(new NodeOutput.Stop(number));
    }

    // An evaluation has the priority of the most important run that is at work here: it takes turns with that.
    private int PriorityOf(JobId job) => _runs.GetValueOrDefault(new RunId(job.Value)) is { Kind: JobKind.Run } run
        ? run.Priority : AtWork().Select(r => r.Run.Priority).DefaultIfEmpty().Max();

    // Runs that have work on devices or waiting for some, or had a moment ago, in which case devices that are free are kept for them.
    private IEnumerable<(OpenedRun Run, bool IsBetweenRounds)> AtWork()
    {
        var present = _devices.InUse.Keys.Concat(_devices.Waiting.Select(o => o.Job)).ToHashSet();
        return _runs.Values.Where(r => r.Kind == JobKind.Run)
            .Select(r => (Run: r, IsBetweenRounds: !present.Contains(r.Id.Job)))
            .Where(r => !r.IsBetweenRounds || (!r.Run.IsStopping && _beats - r.Run.Used <= Reserved));
    }

    private OpenedRun? Reservation() => AtWork().Where(r => r.IsBetweenRounds).Select(r => r.Run).MaxBy(r => r.Priority);

    private void NoteUse(JobId? job)
    {
        if (job is { } of && _runs.TryGetValue(new RunId(of.Value), out var run))
            run.Used = _beats;
    }

    // Tells supervisors, once a second, whose work waits behind which other run's.
    private void LookAtQueue()
    {
        var waiting = _devices.Waiting.ToList();
        if (waiting.Count == 0)
            return;
        _outputs.Add(new NodeOutput.Reschedule());                     // a reservation may be over
        var ahead = _devices.InUse.Keys.Select(j => _runs.GetValueOrDefault(new RunId(j.Value))).Append(Reservation()).OfType<OpenedRun>()
            .OrderByDescending(r => PriorityOf(r.Id.Job)).ToList();
        foreach (var order in waiting)
            if (ahead.Find(r => r.Id.Job != order.Job) is { } behind)
                Send(new NodeReport.Queued(facts.Id, new RunId(order.Job.Value), order.Key, behind.Id, PriorityOf(behind.Id.Job)));
    }
}
