using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides what a node does with orders and commands: which work it begins on which devices, what it stops, hands over, answers and
/// repeats. Lives as long as the process, across supervisors, and knows neither actors nor clocks nor files. A simulation runs the same
/// code.
/// </summary>
/// <remarks>
/// This class takes each input to the parts that it concerns. Each part keeps what only it needs; <see cref="NodeCoordinatorContext"/> is
/// what all of them see.
/// </remarks>
public sealed class NodeCoordinator
{
    private readonly NodeCoordinatorContext _context;
    private readonly DeviceQueue _queue;                                // whose work gets devices
    private readonly DeviceChanges _devices;                            // devices that come, go and are lost
    private readonly RunOpenings _openings;                             // runs that are open here
    private readonly NodeDeparture _departure;                          // whether the node leaves or drains
    private readonly MessageParts _parts = new();
    private readonly Dictionary<int, WorkOrder> _upkeep = [];           // work that needs no device, by number
    private long _freeMemoryBytes;
    private string? _waitsFor;                                          // why the seed does not let the node in

    public NodeCoordinator(NodeFacts facts)
    {
        _context = new NodeCoordinatorContext(facts);
        _queue = new DeviceQueue(_context);
        _devices = new DeviceChanges(_context, _queue);
        _openings = new RunOpenings(_context, _queue);
        _departure = new NodeDeparture(_context);
    }

    /// <summary>Takes one input.</summary>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<NodeOutput> Step(NodeInput input)
    {
        switch (input)
        {
            case NodeInput.HasDevices has:
                _devices.Use(has);
                Report();
                break;
            case NodeInput.Moved moved:
                _devices.Moved(moved.Work);
                break;
            case NodeInput.DeviceLost lost:
                _devices.Lose(lost);
                Report();
                break;
            case NodeInput.Ordered { Order: var order }:
                Receive(order);
                break;
            case NodeInput.Commanded { Command: var command }:
                Receive(command);
                break;
            case NodeInput.Told { News: NodeNews.Welcome welcome }:
                _waitsFor = null;
                _context.Add(new NodeOutput.PointTo(welcome.Endpoint));
                break;
            case NodeInput.Told { News: NodeNews.Wait wait }:
                // The answer to each heartbeat: said once.
                if (wait.Why != _waitsFor)
                    _context.Add(new NodeOutput.Say($"the supervising seed does not let this node in for now: {wait.Why}"));
                _waitsFor = wait.Why;
                break;
            case NodeInput.Told { News: NodeNews.Drain drain }:
                _departure.Drain(drain);
                Report();
                break;
            case NodeInput.Told { News: NodeNews.Refused refused }:
                _context.Add(new NodeOutput.Refused(refused.Why));
                break;
            case NodeInput.Opened opened:
                foreach (var held in _openings.Note(opened))
                    WhenOpen(_context.RunOf(opened.Run), held);
                break;
            case NodeInput.Ended ended:
                End(ended);
                break;
            case NodeInput.Schedule:
                _queue.StartWaiting();
                break;
            case NodeInput.Beat beat:
                _freeMemoryBytes = beat.FreeMemoryBytes;
                _context.Beat();
                _queue.Report();
                if (_departure.TakesNoWork)
                    foreach (var run in _context.Runs.Values)
                        _context.TellIfIdle(run);                      // one that no seed knows any more is released by the answer
                Report();
                break;
            case NodeInput.Leave:
                _departure.Leave();
                Report();
                _departure.EndIfReleased();
                break;
        }

        return _context.End();
    }

    // The heartbeat. Repeats the results that no supervisor has acknowledged: the supervisor may be a new one.
    private void Report()
    {
        var (facts, devices) = (_context.Facts, _context.Devices);
        var held = _context.Runs.Values.SelectMany(r => r.Held).OfType<WorkOrder>().Select(PendingResults.Of);
        _context.Send(new NodeReport.Enlist(facts.Id)
        {
            Devices = [.. devices.Devices],
            Incarnation = facts.Incarnation,
            Address = facts.Address,
            Endpoint = facts.Endpoint,
            Seed = facts.Seed,
            Version = facts.Version,
            Arithmetic = facts.Arithmetic,
            Works = HeldWorks.Of(_context.Pending.Works.Concat(held).DistinctBy(w => (w.Job, w.Key))),
            Leaving = _departure.TakesNoWork,
            Draining = _departure.IsDraining,
            Drained = _departure.IsDrained,
            Drains = _departure.Drains,
            Labels = facts.Labels,
            Sharing = facts.Sharing,
            Uses = [.. devices.InUse.Select(u => new NodeReport.DeviceUse(u.Key, u.Value))],
            FreeMemoryBytes = _freeMemoryBytes,
            Cores = facts.Cores,
        });
        foreach (var (order, outcome) in _context.Pending.Overdue())
            _context.Send(order, outcome);
    }

    private void Receive(NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.OpenRun part when _parts.Join(part) is { } open:
                _openings.Begin(open);
                break;
            case NodeCommand.StopRun stop:
                _context.Stop(_context.RunOf(stop.RunId));
                break;
            case NodeCommand.DropWork drop:
                var wasAwaited = _context.Pending.IsAwaited(drop.RunId.Job);
                foreach (var key in drop.Works)
                    Drop(drop.RunId.Job, key);
                _context.Add(new NodeOutput.Reschedule());
                if (wasAwaited)
                    _context.TellIfIdle(_context.RunOf(drop.RunId));
                break;
            case NodeCommand.Release release:
                _departure.Note(release);
                break;
            case NodeCommand.DeleteRun delete:
                Delete(delete.RunId);
                break;
            case NodeCommand.Exclude exclude when _context.RunOf(exclude.RunId) is var run && run.Excluded != exclude.Why:
                run.Excluded = exclude.Why;
                _context.Add(new NodeOutput.Say($"run {exclude.RunId}: {exclude.Why}"));
                break;
            case NodeCommand.Survey or NodeCommand.Retain:
                WhenOpen(_context.RunOf(command.RunId), command);
                break;
        }
    }

    private void Receive(WorkOrder part)
    {
        if (WorkKinds.Find(part.Key.Kind) is null || _parts.Join(part) is not { } order)
            return;
        // A run's orders carry its id as their job. Of a run that was never opened here, the node reports RunUnopened.
        WhenOpen(_context.RunOf(new RunId(order.Job.Value)), order);
    }

    private void WhenOpen(OpenedRun run, object what)
    {
        if (!_openings.Admits(run, what))
            return;
        if (what is WorkOrder order)
            Take(run, order);
        else if (what is NodeCommand.Survey survey)
            _context.Add(new NodeOutput.Survey(survey));
        else if (what is NodeCommand.Retain part && _parts.Join(part) is { } retain && run.IsNewest(retain.Number))
            _context.Add(new NodeOutput.Retain(retain));
    }

    private void Take(OpenedRun run, WorkOrder order)
    {
        var kind = WorkKinds.Of(order.Key);
        if (_departure.TakesNoWork && kind.OccupiesDevices)
            return;                                                    // sent before the supervisor knew that the node leaves or drains
        if (_context.Pending.OutcomeOf(order) is { } outcome)
            _context.Send(order, outcome);
        switch (_context.Pending.TakeUp(order))
        {
            case Taken.Known:
                return;
            case Taken.Instead:
                Abandon(order.Job, order.Key);
                break;
        }

        _context.Add(new NodeOutput.UseSources(order.Sources));
        // A late order of an older round must not make blobs of the newest one look old.
        if (run.IsNewest(order.Id) && kind.StoresFor(order.Key) is { } round)
            _context.Add(new NodeOutput.BeginRound(run.Id, round));
        if (kind.OccupiesDevices)
        {
            run.IsStopping = false;
            _context.Devices.Enqueue(
                order, ComputeWork.Of(order.Content) is not null ? run.MostOf(_context.Devices.Devices) : int.MaxValue, run.Groups);
            _context.Add(new NodeOutput.Reschedule());
            return;
        }

        var number = _context.NextWork();
        _upkeep[number] = order;
        _context.Add(new NodeOutput.Start(number, order, []));
    }

    private void End(NodeInput.Ended ended)
    {
        if (_upkeep.Remove(ended.Work, out var upkeep))
        {
            _context.Answer(upkeep, ended.Outcome);
            return;
        }

        _queue.NoteUse(_context.Devices.JobOf(ended.Work));
        if (_context.Devices.End(ended.Work) is { } order)
            _context.Answer(order, ended.Outcome);
        _context.Add(new NodeOutput.Reschedule());
        foreach (var run in _context.Runs.Values)
            _context.TellIfIdle(run);
    }

    private void Delete(RunId run)
    {
        foreach (var number in _context.Devices.WorkingFor(run.Job).ToList())
            _context.Add(new NodeOutput.Abandon(number));
        foreach (var order in _context.Devices.Clear(run.Job))
            _context.Pending.Drop(order.Job, order.Key);
        foreach (var work in _context.Pending.Works.Where(w => w.Job == run.Job).ToList())
            _context.Pending.Drop(work.Job, work.Key);
        _openings.Delete(run);
        _departure.EndIfReleased();
    }

    private void Drop(JobId job, WorkKey key)
    {
        _context.Pending.Drop(job, key);
        Abandon(job, key);
        _context.RunOf(new RunId(job.Value)).Held.RemoveAll(w => w is WorkOrder o && o.Key == key);
    }

    private void Abandon(JobId job, WorkKey key)
    {
        foreach (var number in _context.Devices.Drop(job, key))
            _context.Add(new NodeOutput.Abandon(number));
    }
}
