using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Host.Display;

/// <summary>Observations as sentences for people.</summary>
/// <param name="nameOf">A node's name for people.</param>
internal sealed class ObservationLines(Func<NodeId, string> nameOf)
{
    // Reasons may hold the text of an error of another machine.
    private const int LongestReason = 300;

    // Of a computation its replica, and its stage where another node has the first one.
    private static string PlaceOf(string kind, int number, int index)
    {
        var key = new WorkKey(kind, number, index);
        return (ComputeWork.ReplicaOf(key) is { } replica ? $" replica {replica}" : "")
            + (ComputeStageWork.StageOf(key) is > 0 and var stage ? $" stage {stage}" : "");
    }

    /// <summary>One line, with its time in UTC.</summary>
    public string Of(StoredObservation observed) => $"{observed.At.UtcDateTime:HH:mm:ss}Z {Sentence(observed)}";

    private string Sentence(StoredObservation observed) => observed.What switch
    {
        SupervisionBegan began => $"the runs are supervised by the seed with the data plane {began.Seed} from now on",
        DashboardOpened opened => $"seed {opened.Seed} serves its dashboard at {OneLine.Of(opened.Address, LongestReason)}",
        NodeJoined joined => $"node {nameOf(joined.Node)} is here with {Units.Many(joined.Devices, "device")}",
        NodeLost lost => $"node {nameOf(lost.Node)} is lost: {Reason(lost.Why)}",
        NodesThere there => $"{Units.Many(there.Nodes, "node")} with {Units.Many(there.Devices, "device")}",
        ObservationsDropped dropped => $"{Units.Many(dropped.Count, "observation")} were dropped: the database was slow or down",
        WorkGivenAgain again => $"{again.RunId.Name}: {again.Kind} {again.Number}"
            + PlaceOf(again.Kind, again.Number, again.Index)
            + $" is given out again, which {nameOf(again.Node)} had: {Reason(again.Why)}",
        WorkRecovered recovered => $"{recovered.RunId.Name}: round {recovered.Round}, replica {recovered.Replica} goes on with "
            + $"{nameOf(recovered.Node)}, {recovered.Seconds:0.00} s after it was lost",
        ResultLost lost =>
            $"{lost.RunId.Name}: round {lost.Round}: the result of replica {lost.Replica} is lost, and computed again: {Reason(lost.Why)}",
        PhaseDuration phase =>
            $"{phase.RunId.Name}: round {phase.Round}, {phase.Phase.ToString().ToLowerInvariant()} for {phase.Seconds:0.00} s",
        StepLoss step => $"{step.RunId.Name}: round {step.Round}, replica {step.Replica}, step {step.Step}: loss {step.LossNats:0.0000}",
        StepsSkipped skipped => $"{skipped.RunId.Name}: round {skipped.Round}, replica {skipped.Replica}: "
            + $"{Units.Many(skipped.Steps, "step")} overflowed and skipped, loss scale {skipped.LossScale:0}",
        DeviceLost lost => $"{lost.RunId.Name}: {nameOf(lost.Node)} has lost {lost.Device} in {lost.Kind} {lost.Number}"
            + PlaceOf(lost.Kind, lost.Number, lost.Index)
            + $", which {(lost.RepeatsStep ? "repeats the step on the other devices" : "begins anew where a device is left")}: "
            + Reason(lost.Why),
        SplitSmaller split => $"{split.RunId.Name}: round {split.Round}, replica {split.Replica} on {nameOf(split.Node)} has "
            + Reason(split.How),
        Score score => $"{score.RunId.Name}: version {score.Version}, loss {score.LossNats:0.0000} on held-out text",
        ScoreOfSource score => $"{score.RunId.Name}: version {score.Version}, loss {score.Nats / score.Targets:0.0000} on held-out text of "
            + Reason(score.Source),
        ScoreOfLanguage score => $"{score.RunId.Name}: version {score.Version}, loss {score.Nats / score.Targets:0.0000} on held-out text "
            + $"in {Reason(score.Language)}",
        RoundCommitted round => $"{round.RunId.Name}: round {round.Round} is committed, {Units.Count(round.TokensSeen, "token")}",
        Goodput goodput => $"{goodput.RunId.Name}: of the {goodput.SpentSeconds:0.00} s that nodes spent on steps of round "
            + $"{goodput.Round}, {goodput.CountedSeconds:0.00} s are in its result; others were lost, or taken twice",
        DevicesWanted { Devices: 0 } rests => $"{rests.RunId.Name}: wants no device now",
        DevicesWanted wanted => $"{wanted.RunId.Name}: could use {Units.Many(wanted.Devices, "device")} now",
        RunWaits waits => $"{waits.RunId.Name}: waits for {Reason(waits.For)}",
        RunFinished finished =>
            $"{finished.RunId.Name}: finished after {Units.Many(finished.Rounds, "round")}, fingerprint {Reason(finished.Fingerprint)}",
        NodeQuarantined quarantined => $"{quarantined.RunId.Name}: {Reason(quarantined.Why)}; it gets no more work of this run",
        RunFailed failed => $"{failed.RunId.Name}: cannot go on: {Reason(failed.Why)}",
        _ => $"{observed.Kind}: this version of Elastic does not know what it means",
    };

    private static string Reason(string why) => OneLine.Of(why, LongestReason);
}
