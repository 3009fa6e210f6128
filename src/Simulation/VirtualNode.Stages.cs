using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Simulation;

// A stage of a replica that several nodes compute together. No activations are simulated: the first stage's node takes the steps, each of
// which counts only if all stages are there at its end. Each node watches the others, and names one that is gone.
public sealed partial class VirtualNode
{
    // Messages may come late to one of them: until all are there. Once they were, a link that breaks is noticed sooner.
    private const double MostUntilBegun = 6000, MostAway = 500, BetweenLooks = 100;

    // As against a node that computes a replica alone: stages wait for each other, and there is time for one to be lost.
    private const double Longer = 4;

    private static string? AttemptOf(DeviceRules.OnDevice work) => ComputeWork.Of(work.Order.Content)?.Attempt;

    private static int StageOf(DeviceRules.OnDevice work) => ComputeStageWork.StageOf(work.Order.Key);

    /// <summary>The nodes of each replica that takes its steps with this one as the first of several, and has taken one.</summary>
    internal IEnumerable<IReadOnlyList<VirtualNode>> StagesAtWork() => _on.Running.Values
        .Where(r => AttemptOf(r) is not null && StageOf(r) == 0 && r.Step > (((Compute)r.Order.Content).HandOver?.Step ?? 0)
            && Missing(r).Count == 0)
        .Select(r => (IReadOnlyList<VirtualNode>)[this, .. Others(r).Select(o => o.Node)]);

    private void BeginStage(int work, double milliseconds)
    {
        var running = _on.Running[work];
        var replica = ComputeWork.Of(running.Order.Content)!;
        var steps = replica.Segment.StepsOf(replica.Replica);
        (running.Step, running.StepMilliseconds) = (replica.HandOver?.Step ?? 0, Longer * milliseconds / Math.Max(1, steps));
        Watch(work, running, _world.Now, isBegun: false);
        if (StageOf(running) > 0)
            return;
        if (replica.HandOver is not null)
            _world.Supervisor.Reached.Note(StageSituation.Resumed);
        TakeStageStep(work, running, replica, steps);
    }

    private void TakeStageStep(int work, DeviceRules.OnDevice running, Compute replica, int steps)
    {
        var isBegun = Missing(running).Count == 0;
        _world.After(this, running.Step == steps ? BetweenLooks : running.StepMilliseconds, () =>
        {
            if (running.IsHung || Hangs || !_on.Running.ContainsKey(work))
                return;
            if (Missing(running) is { Count: > 0 and var missing })
            {
                if (isBegun && running.Step < steps && IsReachable)
                    _world.Supervisor.Reached.Note(missing > 1 ? StageSituation.TwoLost : StageSituation.Lost);
                TakeStageStep(work, running, replica, steps);               // the step does not count; Watch sees to who is gone
                return;
            }

            if (running.Step == steps)
            {
                EndAll(work, running, Do(running.Order));
                return;
            }

            running.Step++;
            _world.ToSupervisor(this, new NodeReport.StepTaken(
                Id, new RunId(running.Order.Job.Value), replica.Round, replica.Replica, running.Step, 1.0, 1e-3));
            TakeStageStep(work, running, replica, steps);
        });
    }

    // Until the work ends. Of two that are gone the first one is named.
    private void Watch(int work, DeviceRules.OnDevice running, TimeSpan complete, bool isBegun) =>
        _world.After(this, BetweenLooks, () =>
        {
            if (running.IsHung || Hangs || !_on.Running.ContainsKey(work))
                return;
            var missing = Missing(running);
            if (missing.Count == 0)
                Watch(work, running, _world.Now, true);
            else if ((_world.Now - complete).TotalMilliseconds < (isBegun ? MostAway : MostUntilBegun))
                Watch(work, running, complete, isBegun);
            else
            {
                var why = $"stage {missing[0]} of {ComputeWork.Of(running.Order.Content)!.Stages.Length} is gone";
                EndAll(work, running, new StageLost(missing[0], why), others: new StageLost(missing[0], why));
            }
        });

    // Any of the stages is to be stopped: all hand over.
    private void StopStages(int work, DeviceRules.OnDevice running)
    {
        var isAskedByAnother = StageOf(running) > 0;
        _world.After(this, Slowness * _world.Milliseconds(1, 50), () =>
        {
            if (running.IsHung || !_on.Running.ContainsKey(work))
                return;
            var (node, place) = Others(running).Append((Node: this, Stage: 0)).Select(o => (o.Node, Place: o.Node.Find(running)))
                .FirstOrDefault(o => o.Place is { } found && StageOf(found.Work) == 0 && o.Node.Reaches(this));
            if (place is not { } first || first.Work.IsHung || node.Hangs || node.Missing(first.Work).Count > 0)
            {
                End(work, null);
                return;
            }

            var outcome = node.HandOver((Compute)first.Work.Order.Content, first.Work.Step);
            if (outcome is not null)
                _world.Supervisor.Reached.Note(isAskedByAnother ? StageSituation.HandedOverForAnother : StageSituation.HandedOver);
            node.EndAll(first.Number, first.Work, outcome);
        });
    }

    // Ends this node's stage, and a moment later, as the links have it, the others.
    private void EndAll(int work, DeviceRules.OnDevice running, WorkOutcome? outcome, WorkOutcome? others = null)
    {
        foreach (var (other, _) in Others(running).Where(o => o.Node.Reaches(this)))
            _world.After(other, _world.Milliseconds(1, 20), () =>
            {
                if (other.Find(running) is { } found)
                    other.End(found.Number, others);
            });
        End(work, outcome);
    }

    // Stages whose nodes are gone, cut off or hang, or have no such work any more, or not yet.
    private List<int> Missing(DeviceRules.OnDevice running) =>
    [
        .. Others(running)
            .Where(o => !o.Node.Reaches(this) || o.Node.Hangs || o.Node.Find(running) is not { } found || found.Work.IsHung)
            .Select(o => o.Stage),
    ];

    private IEnumerable<(VirtualNode Node, int Stage)> Others(DeviceRules.OnDevice running) =>
        ComputeWork.Of(running.Order.Content)!.Stages
            .Select((place, stage) => (Node: _world.Nodes.Single(n => n.Id == place.Node), Stage: stage)).Where(o => o.Node != this);

    private (int Number, DeviceRules.OnDevice Work)? Find(DeviceRules.OnDevice other) => _on.Running
        .Where(r => AttemptOf(r.Value) == AttemptOf(other)).Select(r => ((int, DeviceRules.OnDevice)?)(r.Key, r.Value)).FirstOrDefault();

    private bool Reaches(VirtualNode other) => IsReachable && other.IsReachable
        && (IsSeed || other.IsSeed || !(IsWalled || other.IsWalled));
}

/// <summary>What became of a replica that several virtual nodes compute together.</summary>
internal enum StageSituation
{
    /// <summary>All stages were there when a step began, and one was not when it ended.</summary>
    Lost,

    /// <summary>All stages were there when a step began, and two or more were not when it ended.</summary>
    TwoLost,

    /// <summary>The first stage's node was to stop.</summary>
    HandedOver,

    /// <summary>Another stage's node was to stop.</summary>
    HandedOverForAnother,

    /// <summary>The stages began behind the first step.</summary>
    Resumed,
}
