using Akka.Actor;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>
/// Answers who looks at a run that has no supervisor, or one that reads the journal and answers nobody. Part of RunsActor: used on its
/// mailbox only.
/// </summary>
internal sealed class UnansweredWatches(RunDirectory runs, RunRetries retries)
{
    private readonly EarlyQuestions _early = new();

    /// <summary>Answers or keeps the question where the run's supervisor reads the journal.</summary>
    /// <returns>False where it does not: it answers by itself, or there is none.</returns>
    public bool Take(RunWatch watch, IActorRef asker)
    {
        if (runs.Existing(watch.Run) is not { } run || !retries.IsReading(run))
            return false;
        if (retries.ReadsForLong(run))
            asker.Tell(retries.View(run));
        else
            _early.Keep(watch, asker);
        return true;
    }

    /// <summary>Puts what was kept once more.</summary>
    public void AskAgain(IActorRef self) => _early.AskAgain(self);

    /// <summary>Shows a run that has no supervisor.</summary>
    public void Show(RunWatch watch, IActorRef asker)
    {
        if (runs.Existing(watch.Run) is not { } run)
            return;
        if ((retries.View(run) ?? (watch is RunWatch.Watch ? RunRetries.Lost(run) : null)) is { } view)
            asker.Tell(view);
    }
}
