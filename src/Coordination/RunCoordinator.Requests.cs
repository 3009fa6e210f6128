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

        if (asked.Request is RunRequest.Start anew && RunRequests.BeginsAnew(Run, anew, decision))
        {
            _outputs.Add(IsAtWork
                ? new RunOutput.Reply(asked.Asker, new RunReply.Refused(
                    anew.Run, $"{decision.Refusal}; or stop it: until it has committed a round, its name can be used anew"))
                : new RunOutput.Delete(asked.Asker, anew));
            return;
        }

        Carry(decision);
        if (decision.Refusal is null && asked.Request is RunRequest.Start)
        {
            _isAsked = true;
            Failure = null;                                            // the person who starts the run has fixed the cause
            _failures.Clear();
        }

        _outputs.Add(new RunOutput.Reply(asked.Asker, decision.Refusal is { } why
            ? new RunReply.Refused(asked.Request.Run, why)
            : new RunReply.Accepted(asked.Request.Run, id, NoticeOf(decision))));
    }

    // Nobody has started it since the restart, or it has come to a halt.
    private bool IsAtWork => _isAsked && Failure is null && !Run.IsFinished && (!Run.IsPaused || _busy.Count > 0);

    private string? NoticeOf(Decision decision) =>
        decision.Events.OfType<RunEvent.SettingsChanged>().LastOrDefault()?.Extension is { } extension
            ? RunRequests.Describe(extension, SettingsText.Read(Run.Settings!), RunPlan.Of(Run).Timeline)
            : null;
}
