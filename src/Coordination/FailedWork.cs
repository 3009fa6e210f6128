using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides what becomes of work that a node could not do, and of that node: the work is tried again, the node rests, bytes go another way,
/// or the run waits for a person.
/// </summary>
internal sealed class FailedWork(
    RunCoordinatorContext context, EnlistedNodes nodes, NodeOpenings openings, BlobSources sources, ReplicaAttempts attempts,
    Inventory inventory)
{
    /// <summary>Takes a node's answer that it could not do its work.</summary>
    public void Take(WorkResult result, WorkFailed failed)
    {
        context.Send(result.Node, new NodeCommand.DropWork(context.Id, [result.Key]));
        // A node that was lost, or is a round behind, may fail at work that is long done: its blobs are gone.
        if (TakesBack(result))
            TakeBack(new InFlightWork(result.Key, result.Node), failed);
    }

    /// <summary>
    /// Takes a node's answer that it has lost another stage of its replica. Nothing is wrong where that was noticed: it counts against the
    /// node of the stage that is lost.
    /// </summary>
    public void Take(WorkResult result, StageLost lost)
    {
        context.Send(result.Node, new NodeCommand.DropWork(context.Id, [result.Key]));
        if (attempts.Blamed(new InFlightWork(result.Key, result.Node), lost) is { } blamed)
            TakeBack(blamed, new WorkFailed(lost.Why, WorkFailure.Transient));
    }

    /// <inheritdoc cref="RunCoordinator.TakesBack"/>
    public bool TakesBack(WorkResult result) => new InFlightWork(result.Key, result.Node) is var work
        && context.View.InFlight.ContainsKey(work) && !context.Failures.IsResting(work) && !attempts.IsOfEarlier(result, context.Now);

    /// <summary>
    /// Takes a node's answer that the run is not open there. A node that could not open it is asked again after a rest; a node that never
    /// got OpenRun, because the message was lost, soon.
    /// </summary>
    public void Take(NodeReport.RunUnopened report)
    {
        openings.Repeat(report.Node);
        if (report.Why is null)
            return;                                                    // it is still awaited: what it stores is not known
        // It has answered each thing that waited for the opening: that is one setback, and not many.
        if (context.Health.IsUnhealthy(report.Node))
            return;
        inventory.Forget(report.Node);
        if (context.View.Nodes.Keys.All(n => n == report.Node || !context.IsOfUse(n)) && !context.Settings.GoesOn)
            context.Fail(report.Why);
        else
            nodes.Rest(report.Node, $"it cannot open the run: {report.Why}");
    }

    // The work rests where it failed, before it is given out again.
    private void TakeBack(InFlightWork work, WorkFailed failed)
    {
        attempts.EndOf(work);
        var failures = context.Failures.Note(work, failed, context.Now, context.Chance.NextDouble());
        if (context.Plan!.Streams)
            openings.Repeat(work.Node);                                // it may not know yet of the shards that the work reads
        if (WhyToGiveUp(work, failed) is { } why)
            context.Fail(why);
        else if (failed.Kind is WorkFailure.Permanent or WorkFailure.Exhausted
            || (MayOthersDo(work) && context.Failures.IsStubborn(work)))
            nodes.Rest(work.Node, failed.Why);
        if (context.Failure is not null)
            return;
        if (failures > 1)
            context.Warn(
                $"the {work.Work} has failed {failures} times, last on {context.Names(work.Node)}: {failed.Why}; trying again");
        if (failed.Kind != WorkFailure.Lost)
            return;
        if (failures > 1)
            sources.NoteUnreachable(context.Now);                      // the last survey found everything
        if (context.View.Surveyed)
            openings.SurveyAgain();
    }

    // Null where it is tried again. Where runs go on by themselves, nothing waits for a person but what nobody can do.
    private string? WhyToGiveUp(InFlightWork work, WorkFailed failed) =>
        context.IsStopping && ComputeWork.ReplicaOf(work.Work) is { } replica
            ? $"replica {replica} could not be handed over, and takes its steps of this round again next time: {failed.Why}"
        : context.Failures.IsHopeless(work.Work) || (failed.Kind == WorkFailure.Permanent && !MayOthersDo(work))
            ? failed.Why
        : !context.Settings.GoesOn && (context.Failures.IsTedious(work.Work, context.View.Nodes.Count)
            || (failed.Kind == WorkFailure.Exhausted && !MayOthersDo(work)))
            ? failed.Why
        : null;

    // A replica of several stages needs so many other nodes.
    private bool MayOthersDo(InFlightWork work) => context.View.Nodes.Count(n => n.Key != work.Node && context.IsOfUse(n.Key)
        && (!WorkKinds.Of(work.Work).NeedsDevice || n.Value.Devices.Length > 0))
        >= (ComputeWork.ReplicaOf(work.Work) is null ? 1 : attempts.Stages);
}
