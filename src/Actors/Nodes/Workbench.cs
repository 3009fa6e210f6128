using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

// A node's devices, and the work that waits for them or is on them. Part of NodeAgent: used on its mailbox only.
internal sealed class Workbench : IDisposable
{
    private readonly NodePlace _place;
    private readonly IActorContext _context;
    private readonly ILoggingAdapter _log;
    private readonly List<(NodeRun Run, NodeCommand Command)> _waiting = [];
    private readonly Dictionary<IActorRef, (DeviceWork Work, bool Dropped)> _working = [];
    private readonly List<(DeviceId Id, IActorRef Trainer)> _free;
    private readonly ReplicaMemories _memories = new();
    private int _works;

    public Workbench(NodePlace place, IActorContext context)
    {
        (_place, _context, _log) = (place, context, context.GetLogger());
        _free = [.. place.Devices.Select(d => (d, context.ActorOf(TrainerActor.Props(d, place.ThreadsPerDevice), $"trainer-{d.Value.Replace(':', '-')}")))];
    }

    public void Enqueue(NodeRun run, NodeCommand command) => _waiting.Add((run, command));

    /// <summary>Puts work onto free devices. An evaluation is short and takes all; replicas get one each, and what is left over speeds them up.</summary>
    /// <returns>PendingResults for work that could not be started.</returns>
    public List<WorkAnswer> StartWork()
    {
        var failures = new List<WorkAnswer>();
        while (_waiting.Count > 0 && _free.Count > 0)
        {
            var (run, command) = _waiting[0];
            _waiting.RemoveAt(0);
            var devices = _free.Take(Math.Clamp(_free.Count / (command is NodeCommand.Evaluate ? 1 : _waiting.Count + 1), 1, MostDevices(run, command))).ToList();
            DeviceWork work;
            try
            {
                work = new DeviceWork(command, devices, _memories.Take(run, devices[0].Id, (command as NodeCommand.RunReplica)?.InnerState));
            }
            catch (Exception e)
            {
                _log.Error(e, "no memory for {0}", command.GetType().Name);
                failures.Add(new WorkAnswer(command, WorkFailures.Of(_place.Node, command, e)));
                continue;
            }

            _free.RemoveRange(0, devices.Count);
            var actor = _context.ActorOf(Props.Create(() => new ReplicaActor(work, run)), $"work-{_works++}");
            _working[actor] = (work, false);
            if (command is NodeCommand.RunReplica replica)
                _log.Info("run {0} round {1} replica {2}: begins at step {3} on {4}",
                    run.Id, replica.Round, replica.Replica, replica.HandOver?.Step ?? 0, string.Join(' ', devices.Select(d => d.Id)));
        }

        return failures;
    }

    /// <summary>The devices are free again.</summary>
    /// <returns>True when the work was not dropped, so that its result counts.</returns>
    public bool End(IActorRef actor, DeviceWorkEnded ended)
    {
        _working.Remove(actor, out var entry);
        if (ended.Result is NodeReport.WorkFailed)
            _memories.Abandon(ended.Work.Memory);
        else
            _memories.GiveBack(ended.Work.Memory);
        _free.AddRange(ended.Work.Devices);
        return !entry.Dropped;
    }

    /// <summary>Work of the run that is on devices stops at its next step; what waits is forgotten.</summary>
    /// <returns>What was forgotten.</returns>
    public IReadOnlyList<NodeCommand> Stop(RunId run)
    {
        foreach (var (actor, entry) in _working.Where(w => w.Value.Work.Command.RunId == run))
            actor.Tell(ReplicaActor.StopAtStep.Instance);
        var forgotten = _waiting.Where(w => w.Command.RunId == run).Select(w => w.Command).ToList();
        _waiting.RemoveAll(w => w.Command.RunId == run);
        return forgotten;
    }

    /// <summary>Nobody waits for this work any more.</summary>
    public void Drop(RunId run, WorkKey work)
    {
        bool IsIt(NodeCommand command) => command.RunId == run && WorkKey.Of(command) == work;
        _waiting.RemoveAll(w => IsIt(w.Command));
        foreach (var (actor, entry) in _working.Where(w => IsIt(w.Value.Work.Command)).ToList())
        {
            _working[actor] = entry with { Dropped = true };
            actor.Tell(ReplicaActor.DropAtStep.Instance);
        }
    }

    public bool IsBusy(RunId run) => _working.Values.Any(w => w.Work.Command.RunId == run);

    public void Dispose() => _memories.Dispose();

    // Several GPUs on one piece of work need a collective between them; CPU devices fold gradients through shared memory.
    private int MostDevices(NodeRun run, NodeCommand command) =>
        !_place.Devices.All(d => d.IsCpu) ? 1 : command is NodeCommand.Evaluate ? _place.Devices.Count : run.Plan.MicroBatches;
}
