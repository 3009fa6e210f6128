using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides what becomes of a node's work when devices are given or taken while it is on them, and when one falls off the bus.
/// </summary>
internal sealed class DeviceChanges(NodeCoordinatorContext context, DeviceQueue queue)
{
    private DevicePool Devices => context.Devices;

    /// <summary>The node has these devices from now on.</summary>
    public void Use(NodeInput.HasDevices has)
    {
        var open = context.Runs.Values.Where(r => r.IsOpen).ToList();
        Devices.Set(has.Devices);
        foreach (var run in open)
            Devices.SetMost(run.Id.Job, run.MostOf(Devices.Devices));
        queue.Divide();
        if (has.Request is not { } request)
            return;
        var uses = open.Where(r => r.Kind == JobKind.Run).Select(r => new UseOfDevices(r.Id.Name, r.MostDevices, r.MicroBatches));
        context.Send(new NodeReport.DevicesUsed(
            context.Facts.Id, request, [.. has.Devices], UseOfDevices.Notice(has.Devices, [.. uses])));
    }

    /// <summary>A replica has moved to its new devices.</summary>
    public void Moved(int work)
    {
        Devices.Moved(work);
        queue.Divide();
    }

    /// <summary>
    /// A device is lost. It took its part of the step with it, and perhaps of the update: the replica goes back to its last hand-over,
    /// which is what its order names, and repeats the steps since.
    /// </summary>
    public void Lose(NodeInput.DeviceLost lost)
    {
        if (Devices.OrderOf(lost.Work) is { } hit)
            context.Send(new NodeReport.DeviceLost(
                context.Facts.Id, new RunId(hit.Job.Value), hit.Key, lost.Device, lost.Why, lost.RepeatsStep));
        if (lost.RepeatsStep && Devices.LoseOne(lost.Work, lost.Device) is { } left)
        {
            context.Add(new NodeOutput.RepeatStep(lost.Work, left));
            context.Add(new NodeOutput.Say(
                $"device {lost.Device} is lost ({lost.Why}): its replica repeats the step on the others; give it back with pbm node "
                + "devices, or start the node again"));
            queue.Divide();
        }
        else
            LoseWork(lost);
    }

    // The work begins anew on the node's other devices, or is given back.
    private void LoseWork(NodeInput.DeviceLost lost)
    {
        var run = Devices.JobOf(lost.Work) is { } known ? context.RunOf(new RunId(known.Value)) : null;
        // For a stage other nodes wait, which begin anew with it, or without it.
        var isStage = Devices.OrderOf(lost.Work) is { } staged && ComputeWork.Of(staged.Content) is { Stages: [_, ..] };
        var order = Devices.Lose(lost.Work, lost.Device, beginsAnew: run is { IsStopping: false } && !isStage);
        var isLast = Devices.Devices.Count == 0;
        // A person who waits for the run waits for nothing where no other node has one either.
        var failed = new WorkFailed($"{lost.Why}; the node has no other device", WorkFailure.Exhausted);
        if (order is not null && isLast)
            context.Answer(order, failed);
        else if (order is not null && isStage && run is { IsStopping: false })
            context.Answer(order, new WorkFailed($"{lost.Why}; its replica is computed by several nodes", WorkFailure.Transient));
        else if (order is not null && run is { IsStopping: true })
            context.Pending.Drop(order.Job, order.Key);
        if (isLast)
            foreach (var waiting in Devices.Clear(_ => true))
                context.Answer(waiting, failed);
        context.Add(new NodeOutput.Say($"device {lost.Device} is lost ({lost.Why}): " + (isLast
            ? "the node has no other; start it again"
            : "its work begins anew on the others; give it back with pbm node devices, or start the node again")));
        context.Add(new NodeOutput.Reschedule());
        if (run is not null)
            context.TellIfIdle(run);
    }
}
