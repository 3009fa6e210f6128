using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

// What the coordinator does about people's requests, besides what RunRequests decides.
public sealed partial class RunCoordinator
{
    private readonly CorpusWindows _windows = new();

    private void Answer(RunInput.Asked asked)
    {
        var decision = RunRequests.Decide(Run, Plan, asked.Request);
        if (asked.Request is RunRequest.Delete && decision.Refusal is null)
        {
            _context.Add(IsAtWork
                ? new RunOutput.Reply(asked.Asker, new RunReply.Refused(
                    asked.Request.Run,
                    $"run {asked.Request.Run} is at work: stop it first, with pbm run stop -n {asked.Request.Run}, and delete it then"))
                : new RunOutput.Delete(asked.Asker, asked.Request));
            return;
        }

        if (asked.Request is RunRequest.Start anew && RunRequests.BeginsAnew(Run, anew, decision))
        {
            _context.Add(IsAtWork
                ? new RunOutput.Reply(asked.Asker, new RunReply.Refused(
                    anew.Run, $"{decision.Refusal}; or stop it: until it has committed a round, its name can be used anew"))
                : new RunOutput.Delete(asked.Asker, anew));
            return;
        }

        if (asked.Request is RunRequest.Resume && Failure is { } failed && !Run.IsPaused)
            decision = Decision.Refuse(
                $"run {asked.Request.Run} is not paused, it cannot go on: {failed}. When that is mended, pbm run start -n "
                + $"{asked.Request.Run} goes on with it");
        var told = decision.Refusal is null && asked.Request is RunRequest.Set set ? WhatChanges(set) : null;
        Carry(decision);
        if (asked.Request is RunRequest.Grow grow && decision.Refusal is null)
            Note(grow);
        if (decision.Refusal is null && asked.Request is RunRequest.Start or RunRequest.Resume)
            _context.Start();
        _context.Add(new RunOutput.Reply(asked.Asker, decision.Refusal is { } why
            ? new RunReply.Refused(asked.Request.Run, why)
            : new RunReply.Accepted(asked.Request.Run, _context.Id, told ?? NoticeOf(decision))
            {
                Checkpoint = asked.Request is RunRequest.Checkpoint
                    ? Run.IsFinished ? Run.Round : Run.CheckpointAsked ?? Run.Checkpoints.LastOrDefault()?.Version : null,
            }));
    }

    private void Note(RunRequest.Grow grow)
    {
        _windows.Note(grow, _context.Now);
        if (grow.Failure is not { } why)
            return;
        var failure = $"the build of the corpus has failed: {why}";
        _context.Warn(failure);
        if (!_context.Settings.GoesOn && !Run.IsFinished)
            _context.Fail(failure);
    }

    // False where nobody has started it since the restart, or it has come to a halt. One that is paused is to go on.
    private bool IsAtWork => _context.IsAsked && Failure is null && !Run.IsFinished && (!Run.IsPaused || Run.IsBreak || _busy.Count > 0);

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
