using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>
/// Answers people's requests: <see cref="RunRequests"/> decides them by what is stored, this class adds what only a run at work knows, and
/// what the person is told.
/// </summary>
/// <param name="carry">Stores what a decision says, and does what follows from it.</param>
internal sealed class RequestAnswers(RunCoordinatorContext context, CorpusWindows windows, NodeReleases releases, Action<Decision> carry)
{
    public void Answer(RunInput.Asked asked)
    {
        var (run, request) = (context.Run, asked.Request);
        var decision = RunRequests.Decide(run, context.Plan, request);
        if (request is RunRequest.Delete && decision.Refusal is null)
        {
            Delete(asked, $"run {request.Run} is at work: stop it first, with pbm run stop -n {request.Run}, and delete it then");
            return;
        }

        if (request is RunRequest.Start anew && RunRequests.BeginsAnew(run, anew, decision))
        {
            Delete(asked, $"{decision.Refusal}; or stop it: until it has committed a round, its name can be used anew");
            return;
        }

        if (request is RunRequest.Resume && context.Failure is { } failed && !run.IsPaused)
            decision = Decision.Refuse(
                $"run {request.Run} is not paused, it cannot go on: {failed}. When that is mended, pbm run start -n "
                + $"{request.Run} goes on with it");
        var told = decision.Refusal is null && request is RunRequest.Set set ? WhatChanges(set) : null;
        carry(decision);
        if (request is RunRequest.Grow grow && decision.Refusal is null)
            Note(grow);
        if (decision.Refusal is null && request is RunRequest.Start or RunRequest.Resume)
            context.Start();

        context.Add(new RunOutput.Reply(asked.Asker, decision.Refusal is { } why
            ? new RunReply.Refused(request.Run, why)
            : new RunReply.Accepted(request.Run, context.Id, told ?? RunNotices.Of(context, decision))
            {
                Checkpoint = request is RunRequest.Checkpoint ? CheckpointToCome(context.Run) : null,
                IsFinished = context.Run.IsFinished,
            }));
    }

    // False where nobody has started it since the restart, or it has come to a halt. One that is paused is to go on.
    private bool IsAtWork => context.IsAsked && context.Failure is null && !context.Run.IsFinished
        && (!context.Run.IsPaused || context.Run.IsBreak || releases.Busy.Count > 0);

    private static int? CheckpointToCome(RunState run) =>
        run.IsFinished ? run.Round : run.CheckpointAsked ?? run.Checkpoints.LastOrDefault()?.Version;

    private void Delete(RunInput.Asked asked, string whyNotAtWork) => context.Add(IsAtWork
        ? new RunOutput.Reply(asked.Asker, new RunReply.Refused(asked.Request.Run, whyNotAtWork))
        : new RunOutput.Delete(asked.Asker, asked.Request));

    private void Note(RunRequest.Grow grow)
    {
        windows.Note(grow, context.Now);
        if (grow.Failure is not { } why)
            return;
        var failure = $"the build of the corpus has failed: {why}";
        context.Warn(failure);
        if (!context.Settings.GoesOn && !context.Run.IsFinished)
            context.Fail(failure);
    }

    // Asked before it is stored; null where the request is one that was answered before.
    private string? WhatChanges(RunRequest.Set set)
    {
        var run = context.Run;
        if (run.Requests.Contains(set.Origin.Id) || context.Plan is not { } plan)
            return null;
        var planned = SegmentRequests.Plan(run, plan, set.Settings, set.FromRound, set.Origin).Planned;
        return planned is null ? "nothing changes: the run has these settings" : string.Join('\n', SegmentRequests.Describe(run, planned));
    }
}
