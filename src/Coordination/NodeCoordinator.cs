using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides what a node does with orders and commands: which work it begins on which devices, what it stops, hands over, answers and
/// repeats. Lives as long as the process, across supervisors, and knows neither actors nor clocks nor files. A simulation runs the same
/// code.
/// </summary>
public sealed partial class NodeCoordinator(NodeFacts facts)
{
    private readonly PendingResults _pending = new();
    private readonly MessageParts _parts = new();
    private readonly DevicePool _devices = new();
    private readonly Dictionary<int, WorkOrder> _upkeep = [];           // work that needs no device, by number
    private readonly Dictionary<RunId, OpenedRun> _runs = [];
    private readonly Dictionary<RunId, int> _futile = [];               // openings in progress of runs that were deleted meanwhile
    private readonly List<NodeOutput> _outputs = [];
    private int _works;
    private long _freeMemoryBytes;

    /// <summary>Takes one input.</summary>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<NodeOutput> Step(NodeInput input)
    {
        switch (input)
        {
            case NodeInput.HasDevices has:
                Use(has);
                break;
            case NodeInput.Moved moved:
                _devices.Moved(moved.Work);
                DivideDevices();
                break;
            case NodeInput.DeviceLost lost:
                Lose(lost);
                break;
            case NodeInput.Ordered { Order: var order }:
                Receive(order);
                break;
            case NodeInput.Commanded { Command: var command }:
                Receive(command);
                break;
            case NodeInput.Told { News: NodeNews.Welcome welcome }:
                _outputs.Add(new NodeOutput.PointTo(welcome.Endpoint));
                break;
            case NodeInput.Told { News: NodeNews.Drain drain }:
                Drain(drain);
                break;
            case NodeInput.Told { News: NodeNews.Refused refused }:
                _outputs.Add(new NodeOutput.Refused(refused.Why));
                break;
            case NodeInput.Opened opened:
                Note(opened);
                break;
            case NodeInput.Ended ended:
                End(ended);
                break;
            case NodeInput.Schedule:
                StartWaiting();
                break;
            case NodeInput.Beat beat:
                (_freeMemoryBytes, _beats) = (beat.FreeMemoryBytes, _beats + 1);
                LookAtQueue();
                if (IsDraining)
                    foreach (var run in _runs.Values)
                        TellIfIdle(run);                               // one that no seed knows any more is released by the answer
                Report();
                break;
            case NodeInput.Leave:
                Leave();
                break;
        }

        NodeOutput[] outputs = [.. _outputs, .. _devices.Close().Select(d => new NodeOutput.CloseDevice(d))];
        _outputs.Clear();
        return outputs;
    }

    private OpenedRun RunOf(RunId id) => _runs.TryGetValue(id, out var run) ? run : _runs[id] = new OpenedRun(id);

    // The heartbeat. Repeats the results that no supervisor has acknowledged: the supervisor may be a new one.
    private void Report()
    {
        var held = _runs.Values.SelectMany(r => r.Held).OfType<WorkOrder>().Select(PendingResults.Of);
        Send(new NodeReport.Enlist(facts.Id)
        {
            Devices = [.. _devices.Devices],
            Incarnation = facts.Incarnation,
            Address = facts.Address,
            Endpoint = facts.Endpoint,
            Seed = facts.Seed,
            Version = facts.Version,
            Arithmetic = facts.Arithmetic,
            Works = HeldWorks.Of(_pending.Works.Concat(held).DistinctBy(w => (w.Job, w.Key))),
            Leaving = TakesNoWork,
            Draining = IsDraining,
            Drained = IsDrained,
            Drains = _drains,
            Labels = facts.Labels,
            Sharing = facts.Sharing,
            Uses = [.. _devices.InUse.Select(u => new NodeReport.DeviceUse(u.Key, u.Value))],
            FreeMemoryBytes = _freeMemoryBytes,
            Cores = facts.Cores,
        });
        foreach (var (order, outcome) in _pending.Overdue())
            Send(ResultOf(order, outcome));
    }

    private void Receive(NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.OpenRun part when _parts.Join(part) is { } open:
                RunOf(open.RunId).Openings++;
                RunOf(open.RunId).Kind = open.Kind;
                RunOf(open.RunId).BeginAt(open.Number);
                _outputs.Add(new NodeOutput.UseSources(open.Sources));
                _outputs.Add(new NodeOutput.Open(open));
                break;
            case NodeCommand.StopRun stop:
                Stop(RunOf(stop.RunId));
                break;
            case NodeCommand.DropWork drop:
                var wasAwaited = _pending.IsAwaited(drop.RunId.Job);
                foreach (var key in drop.Works)
                    Drop(drop.RunId.Job, key);
                _outputs.Add(new NodeOutput.Reschedule());
                if (wasAwaited)
                    TellIfIdle(RunOf(drop.RunId));
                break;
            case NodeCommand.Release release:
                Note(release);
                break;
            case NodeCommand.DeleteRun delete:
                foreach (var number in _devices.WorkingFor(delete.RunId.Job).ToList())
                    _outputs.Add(new NodeOutput.Abandon(number));
                foreach (var order in _devices.Clear(delete.RunId.Job))
                    _pending.Drop(order.Job, order.Key);
                foreach (var work in _pending.Works.Where(w => w.Job == delete.RunId.Job).ToList())
                    _pending.Drop(work.Job, work.Key);
                if (_runs.Remove(delete.RunId, out var deleted) && deleted.Openings > 0)
                    _futile[delete.RunId] = _futile.GetValueOrDefault(delete.RunId) + deleted.Openings;
                _outputs.Add(new NodeOutput.Delete(delete.RunId));
                LeaveIfReleased();
                break;
            case NodeCommand.Exclude exclude when RunOf(exclude.RunId) is var run && run.Excluded != exclude.Why:
                run.Excluded = exclude.Why;
                _outputs.Add(new NodeOutput.Say($"run {exclude.RunId}: {exclude.Why}"));
                break;
            case NodeCommand.Survey or NodeCommand.Retain:
                WhenOpen(RunOf(command.RunId), command);
                break;
        }
    }

    private void Receive(WorkOrder part)
    {
        if (WorkKinds.Find(part.Key.Kind) is null || _parts.Join(part) is not { } order)
            return;
        // A run's orders carry its id as their job. Of a run that was never opened here, the node reports RunUnopened.
        WhenOpen(RunOf(new RunId(order.Job.Value)), order);
    }

    // Opening a run may take a while, since its corpus may have to be fetched; orders and commands for the run wait meanwhile.
    private void WhenOpen(OpenedRun run, object what)
    {
        if (run.Openings > 0)
            run.Held.Add(what);
        else if (!run.IsOpen)
            Send(new NodeReport.RunUnopened(facts.Id, run.Id, run.WhyNot));
        else if (what is WorkOrder order)
            Take(run, order);
        else if (what is NodeCommand.Survey survey)
            _outputs.Add(new NodeOutput.Survey(survey));
        else if (what is NodeCommand.Retain part && _parts.Join(part) is { } retain && run.IsNewest(retain.Number))
            _outputs.Add(new NodeOutput.Retain(retain));
    }

    private void Note(NodeInput.Opened opened)
    {
        if (IsFutile(opened.Run))
            return;
        var run = RunOf(opened.Run);
        run.Openings--;
        run.IsOpen |= opened.WhyNot is null;
        run.WhyNot = opened.WhyNot;
        if (opened.WhyNot is null)
        {
            var isOther = run.Priority != opened.Priority;
            (run.MostDevices, run.MicroBatches, run.Priority) = (opened.MostDevices, opened.MicroBatches, opened.Priority);
            run.Groups = new DeviceGroups(opened.GroupSizes);
            if (isOther)
                _outputs.Add(new NodeOutput.Reschedule());             // its work may go before other work now
            if (_devices.SetMost(run.Id.Job, run.MostOf(_devices.Devices)))
                DivideDevices();
        }
        else
            Send(new NodeReport.RunUnopened(facts.Id, run.Id, opened.WhyNot));
        if (run.Openings > 0)
            return;                                                    // the run is being opened again already
        object[] held = [.. run.Held];
        run.Held.Clear();
        foreach (var what in held)
            WhenOpen(run, what);
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
        if (!_runs.TryGetValue(run, out var anew) || (anew.Openings == 0 && !anew.IsOpen))
            _outputs.Add(new NodeOutput.Delete(run));
        return true;
    }

    private void Take(OpenedRun run, WorkOrder order)
    {
        var kind = WorkKinds.Of(order.Key);
        if (TakesNoWork && kind.OccupiesDevices)
            return;                                                    // sent before the supervisor knew that the node leaves or drains
        if (_pending.OutcomeOf(order) is { } outcome)
            Send(ResultOf(order, outcome));
        switch (_pending.TakeUp(order))
        {
            case Taken.Known:
                return;
            case Taken.Instead:
                Abandon(order.Job, order.Key);
                break;
        }

        _outputs.Add(new NodeOutput.UseSources(order.Sources));
        // A late order of an older round must not make blobs of the newest one look old.
        if (run.IsNewest(order.Id) && kind.StoresFor(order.Key) is { } round)
            _outputs.Add(new NodeOutput.BeginRound(run.Id, round));
        if (kind.OccupiesDevices)
        {
            run.IsStopping = false;
            _devices.Enqueue(order, ComputeWork.Of(order.Content) is not null ? run.MostOf(_devices.Devices) : int.MaxValue, run.Groups);
            _outputs.Add(new NodeOutput.Reschedule());
            return;
        }

        _upkeep[++_works] = order;
        _outputs.Add(new NodeOutput.Start(_works, order, []));
    }

    private void End(NodeInput.Ended ended)
    {
        if (_upkeep.Remove(ended.Work, out var upkeep))
        {
            Answer(upkeep, ended.Outcome);
            return;
        }

        NoteUse(_devices.JobOf(ended.Work));
        if (_devices.End(ended.Work) is { } order)
            Answer(order, ended.Outcome);
        _outputs.Add(new NodeOutput.Reschedule());
        foreach (var run in _runs.Values)
            TellIfIdle(run);
    }

    private void Answer(WorkOrder order, WorkOutcome? outcome)
    {
        if (_pending.Finish(order, outcome))
            Send(ResultOf(order, outcome!));
    }

    private void Stop(OpenedRun run)
    {
        run.IsStopping = true;
        run.Held.RemoveAll(w => w is WorkOrder o && WorkKinds.Of(o.Key).OccupiesDevices);
        foreach (var number in _devices.WorkingFor(run.Id.Job))
            _outputs.Add(new NodeOutput.Stop(number));
        foreach (var order in _devices.Clear(run.Id.Job))
            _pending.Drop(order.Job, order.Key);
        TellIfIdle(run);
    }

    // Only once the supervisor has what was handed over: the run may end, or be computed further by others, as soon as all are idle.
    private void TellIfIdle(OpenedRun run)
    {
        if (run.IsStopping && !_devices.WorkingFor(run.Id.Job).Any() && !_pending.IsAwaited(run.Id.Job))
            Send(new NodeReport.RunIdle(facts.Id, run.Id));
    }

    private void Drop(JobId job, WorkKey key)
    {
        _pending.Drop(job, key);
        Abandon(job, key);
        RunOf(new RunId(job.Value)).Held.RemoveAll(w => w is WorkOrder o && o.Key == key);
    }

    private void Abandon(JobId job, WorkKey key)
    {
        foreach (var number in _devices.Drop(job, key))
            _outputs.Add(new NodeOutput.Abandon(number));
    }

    private WorkResult ResultOf(WorkOrder order, WorkOutcome outcome) => new(order.Job, facts.Id, order.Id, order.Key, order.From, outcome);

    private void Send(IWireMessage message) => _outputs.Add(new NodeOutput.Send(message));

    // What a node knows of a run.
    private sealed class OpenedRun(RunId id)
    {
        public RunId Id => id;

        /// <summary>Openings that have not ended yet.</summary>
        public int Openings { get; set; }

        public bool IsOpen { get; set; }

        /// <summary>Why the last opening failed; null where none has.</summary>
        public string? WhyNot { get; set; }

        public int MostDevices { get; set; } = 1;

        // A CPU device without a micro-batch lends its threads; a GPU without one would only wait.
        public int MostOf(IReadOnlyList<DeviceId> devices) =>
            devices.All(d => d.IsCpu) ? MostDevices : Math.Min(MostDevices, MicroBatches);

        public int MicroBatches { get; set; } = int.MaxValue;

        public DeviceGroups Groups { get; set; } = DeviceGroups.OfOne;

        public int Priority { get; set; }

        public JobKind Kind { get; set; }

        /// <summary>The beat at which its work last ended on a device; null where none has.</summary>
        public int? Used { get; set; }

        public string? Excluded { get; set; }

        public bool IsStopping { get; set; }

        /// <summary>The beat at which the supervisor last said that the node may go; null where it has not.</summary>
        public int? Released { get; set; }

        private OrderId _newest;

        /// <summary>Begins to count anew where the supervisor's database was put back to an older state, with older terms.</summary>
        public void BeginAt(OrderId opening) => _newest = _newest.IsAfter(opening) ? opening : _newest;

        /// <summary>True, and noted, when nothing newer has been ordered. Only that says which round the run is in.</summary>
        public bool IsNewest(OrderId order)
        {
            if (_newest.IsAfter(order))
                return false;
            _newest = order;
            return true;
        }

        /// <summary>Orders and commands that wait for the run to be open.</summary>
        public List<object> Held { get; } = [];
    }
}
