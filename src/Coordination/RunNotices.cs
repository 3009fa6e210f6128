using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

/// <summary>What people are told of the events of a run, once they are stored.</summary>
internal static class RunNotices
{
    /// <summary>False where somebody asked for it, or it is how the run goes: nothing is wrong.</summary>
    public static bool Warns(RunEvent e) => e is not (RunEvent.ArithmeticChosen or RunEvent.SettingsChanged or RunEvent.SegmentPlanned
        or RunEvent.RunEndedEarly);

    /// <summary>Null for what nobody needs to be told.</summary>
    public static string? Of(RunCoordinatorContext context, RunEvent e) => e switch
    {
        RunEvent.ArithmeticChosen chosen => $"the run is computed with the arithmetic \"{chosen.Arithmetic}\"",
        RunEvent.SettingsChanged { Extension: { } extension } => context.Run.Changes.IsEmpty
            ? RunRequests.Describe(extension, SettingsText.Read(context.Run.Settings!), RunPlan.Of(context.Run).Timeline)
            : $"the run has {extension.Rounds} rounds from now on, where it had {extension.OldRounds}",
        RunEvent.SegmentPlanned { Change: var change } => $"settings change from round {change.FromRound} on: "
            + string.Join("; ", SettingsInForce.Differences(context.Run, change)),
        RunEvent.RunEndedEarly ended => $"the run ends with version {ended.Version}: {ended.Why}",
        RunEvent.RolledBack rolledBack => rolledBack.Why,
        RunEvent.WorkLost { Replicas.Length: > 0 } lost => $"{lost.Why}: they are computed again",
        RunEvent.ReplicaContested { Accepted: var accepted, Other: var other } =>
            $"replica {other.Replica} of round {other.Round} was computed twice with different bytes "
            + $"({accepted.Contribution.Short} and {other.Contribution.Short}): a third computation on another node settles it"
            + Suspects(context, other.Replica),
        RunEvent.NodeQuarantined quarantined => $"{quarantined.Why}; it gets no more work of this run",
        _ => null,
    };

    /// <summary>What the person who asked is told of what was decided.</summary>
    public static string? Of(RunCoordinatorContext context, Decision decision) =>
        decision.Events.OfType<RunEvent.SettingsChanged>().LastOrDefault() is { } changed ? Of(context, changed) : null;

    // Which of several nodes was wrong, their bytes do not say: people may have them look.
    private static string Suspects(RunCoordinatorContext context, int replica)
    {
        var votes = context.Run.QuorumOf(replica).Votes;
        return votes.All(v => v.Others == 0) ? ""
            : "; nodes computed it together, a stage each, and one of all these may be faulty: " + context.Names(
                votes.SelectMany(v => context.View.Teams.GetValueOrDefault((replica, v.Node), [v.Node])).Distinct());
    }
}
