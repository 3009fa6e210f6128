using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

// What the coordinator does about people's requests, besides what RunRequests decides.
public sealed partial class RunCoordinator
{
    private void Answer(RunInput.Asked asked)
    {
        var decision = RunRequests.Decide(Run, Plan, asked.Request);
        if (asked.Request is RunRequest.Delete && decision.Refusal is null)
        {
            _outputs.Add(IsAtWork
                ? new RunOutput.Reply(asked.Asker, new RunReply.Refused(
                    asked.Request.Run,
                    $"run {asked.Request.Run} is at work: stop it first, with pbm run stop -n {asked.Request.Run}, and delete it then"))
                : new RunOutput.Delete(asked.Asker, asked.Request));
            return;
        }

        // Nothing is lost with a run that has committed no round, so a failed start does not use the name up.
        if (asked.Request is RunRequest.Start anew && decision.Refusal is { } differs && Run is { Exists: true, Round: 0 }
            && RunRequests.Decide(RunState.Empty(id), null, anew).Refusal is null)
        {
            _outputs.Add(IsAtWork
                ? new RunOutput.Reply(asked.Asker, new RunReply.Refused(
                    anew.Run, $"{differs}; or stop it: until it has committed a round, its name can be used anew"))
                : new RunOutput.Delete(asked.Asker, anew));
            return;
        }

        var told = decision.Refusal is null && asked.Request is RunRequest.Set set ? WhatChanges(set) : null;
        Carry(decision);
        if (decision.Refusal is null && asked.Request is RunRequest.Start)
        {
            _isAsked = true;
            Failure = null;                                            // the person who starts the run has fixed the cause
            _failures.Clear();
        }

        _outputs.Add(new RunOutput.Reply(asked.Asker, decision.Refusal is { } why
            ? new RunReply.Refused(asked.Request.Run, why)
            : new RunReply.Accepted(asked.Request.Run, id, told ?? NoticeOf(decision))));
    }

    // Nobody has started it since the restart, or it has come to a halt.
    private bool IsAtWork => _isAsked && Failure is null && !Run.IsFinished && (!Run.IsPaused || _busy.Count > 0);

    private string? NoticeOf(Decision decision) =>
        decision.Events.OfType<RunEvent.SettingsChanged>().LastOrDefault()?.Extension is not { } extension ? null
        : Run.Changes.IsEmpty ? RunRequests.Describe(extension, SettingsText.Read(Run.Settings!), RunPlan.Of(Run).Timeline)
        : $"the run has {extension.Rounds} rounds from now on, where it had {extension.OldRounds}";

    private string? NoticeOf(RunEvent e) => e switch
    {
        RunEvent.SegmentPlanned when Plan!.Changes is [.., var newest] =>
            $"settings change from round {newest.FromRound} on: {string.Join("; ", newest.Changes)}",
        RunEvent.RunEndedEarly ended => $"the run ends with version {ended.Version}: {ended.Why}",
        _ => null,
    };

    // Asked before it is stored; null where the request is one that was answered before.
    private string? WhatChanges(RunRequest.Set set)
    {
        if (Run.Requests.Contains(set.Origin.Id) || Plan is null)
            return null;
        var planned = SegmentRequests.Plan(Run, Plan, set.Settings, set.FromRound, set.Origin).Planned;
        return planned is null ? "nothing changes: the run has these settings" : string.Join('\n', SegmentRequests.Describe(Run, planned));
    }
}
