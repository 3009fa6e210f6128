using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// Which devices a node has: they are given and taken while works are on them, and they fall off the bus.
public sealed partial class NodeCoordinator
{
    private void Use(NodeInput.HasDevices has)
    {
        _devices.Set(has.Devices);
        foreach (var run in _runs.Values.Where(r => r.IsOpen))
            _devices.SetMost(run.Id.Job, run.MostOf(_devices.Devices));
        DivideDevices();
        if (has.Request is { } request)
        {
            var open = _runs.Values.Where(r => r.IsOpen && r.Kind == JobKind.Run)
                .Select(r => new UseOfDevices(r.Id.Name, r.MostDevices, r.MicroBatches));
            Send(new NodeReport.DevicesUsed(facts.Id, request, [.. has.Devices], UseOfDevices.Notice(has.Devices, [.. open])));
        }

        Report();
    }

    private void DivideDevices()
    {
        StartWaiting();
        foreach (var move in _devices.Divide())
            _outputs.Add(move.Devices.Count > 0 ? new NodeOutput.Move(move.Number, move.Devices) : new NodeOutput.Stop(move.Number));
    }

    // The device took its part of the step with it, and perhaps of the update: the replica goes back to its last hand-over, which is what
    // its order names, and repeats the steps since.
    private void Lose(NodeInput.DeviceLost lost)
    {
        if (_devices.OrderOf(lost.Work) is { } hit)
            Send(new NodeReport.DeviceLost(facts.Id, new RunId(hit.Job.Value), hit.Key, lost.Device, lost.Why, lost.RepeatsStep));
        if (lost.RepeatsStep && _devices.LoseOne(lost.Work, lost.Device) is { } left)
        {
            _outputs.Add(new NodeOutput.RepeatStep(lost.Work, left));
            _outputs.Add(new NodeOutput.Say(
                $"device {lost.Device} is lost ({lost.Why}): its replica repeats the step on the others; give it back with pbm node "
                + "devices, or start the node again"));
            DivideDevices();
            Report();
            return;
        }

        var job = _devices.JobOf(lost.Work);
        var run = job is { } known ? RunOf(new RunId(known.Value)) : null;
        // For a stage other nodes wait, which begin anew with it, or without it.
        var isStage = _devices.OrderOf(lost.Work) is { } staged && ComputeWork.Of(staged.Content) is { Stages: [_, ..] };
        var order = _devices.Lose(lost.Work, lost.Device, beginsAnew: run is { IsStopping: false } && !isStage);
        var isLast = _devices.Devices.Count == 0;
        if (order is not null && isLast)
            Answer(order, new WorkFailed($"{lost.Why}; the node has no other device", WorkFailure.Transient));
        else if (order is not null && isStage && run is { IsStopping: false })
            Answer(order, new WorkFailed($"{lost.Why}; its replica is computed by several nodes", WorkFailure.Transient));
        else if (order is not null && run is { IsStopping: true })
            _pending.Drop(order.Job, order.Key);
        if (isLast)
            foreach (var waiting in _devices.Clear(_ => true))
                Answer(waiting, new WorkFailed($"{lost.Why}; the node has no other device", WorkFailure.Transient));
        _outputs.Add(new NodeOutput.Say($"device {lost.Device} is lost ({lost.Why}): " + (isLast
            ? "the node has no other; start it again"
            : "its work begins anew on the others; give it back with pbm node devices, or start the node again")));
        _outputs.Add(new NodeOutput.Reschedule());
        if (run is not null)
            TellIfIdle(run);
        Report();
    }
}
