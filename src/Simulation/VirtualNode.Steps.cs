using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;

namespace Elastic.Simulation;

// A replica takes its steps one after another, on as many devices as it has at each: its network is split over them as node.split has it,
// or in a smaller way. A device dies or hangs in the middle of a pass; the step does not count then.
public sealed partial class VirtualNode
{
    /// <summary>As <c>node.split</c>; another one, perhaps, after a restart.</summary>
    public required ReplicaSplit Split { get; set; }

    private void BeginSteps(int work, Compute order, double milliseconds)
    {
        var (running, steps) = (_on.Running[work], order.Segment.StepsOf(order.Replica));
        running.Step = order.HandOver?.Step ?? 0;
        running.MostSteps = Hangs ? Math.Min(1, steps) : int.MaxValue;
        running.StepMilliseconds = milliseconds / Math.Max(1, steps);
        if (steps > 0)
            TakeStep(work);
        else if (!Hangs)
            _world.After(this, milliseconds, () => End(work, Do(running.Order)));
    }

    // Moves where the replica was told to, and begins the next step; ends after the last one.
    private void TakeStep(int work)
    {
        if (!_on.Running.TryGetValue(work, out var running) || running.IsHung || running.Step >= running.MostSteps)
            return;
        var order = (Compute)running.Order.Content;
        if (running.Step == order.Segment.StepsOf(order.Replica))
        {
            End(work, Do(running.Order));
            return;
        }

        if (running.Next.Length > 0)
        {
            (running.Devices, running.Next) = (running.Next, []);
            Step(new NodeInput.Moved(work));
        }

        var (step, attempt) = (VirtualStep.Of(Split, running.Devices.Length, order.Segment.MicroBatches), ++running.Attempt);
        (running.Taken, running.Began) = (step, _world.Now);
        if (_on.Begin(running) is { } change)
            _world.Supervisor.Reached.Note(change);
        _world.After(this, running.StepMilliseconds, () =>
        {
            if (running.IsHung || running.Attempt != attempt || !_on.Running.ContainsKey(work))
                return;
            running.Step++;
            _world.ToSupervisor(this, new NodeReport.StepTaken(
                Id, new RunId(running.Order.Job.Value), order.Round, order.Replica, running.Step, 1.0, 1e-3)
            {
                SplitNotice = step.Split.Notice,
            });
            TakeStep(work);
        });
    }

    // One of the devices of a work dies, or hangs until it is taken for lost.
    private void LoseOneOf(int number, DeviceRules.OnDevice work)
    {
        work.IsHung = true;
        var (at, hangs) = (_world.Chance.Next(work.Devices.Length), _world.Chance.Next(3) > 0);
        var lost = work.Devices[at];
        var name = work.Taken is { } step && work.StepMilliseconds > 0
            ? step.NameOf(at, lost, Math.Min(1, (_world.Now - work.Began).TotalMilliseconds / work.StepMilliseconds)) : $"{lost}";
        // Where slices are mirrored, the others repeat the step.
        var repeats = work is { Taken: not null, Devices.Length: > 1 } && _world.Chance.Next(2) == 0;
        _world.After(this, hangs ? _world.Milliseconds(100, 5000) : _world.Milliseconds(1, 5), () =>
        {
            // The node may have been given others meanwhile.
            if (!_on.Running.ContainsKey(number))
                return;
            _on.Lose(lost, work.Order.Key);
            if (!repeats)
                _on.Running.Remove(number);
            Step(new NodeInput.DeviceLost(number, lost, $"{name}: {(hangs ? "it hangs" : "it is gone")}", repeats));
        });
    }
}
