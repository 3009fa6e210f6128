using Akka.Actor;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

/// <summary>
/// Questions that nobody can answer before something is read: the list of runs, or the journal of one. Part of RunsActor: used on its
/// mailbox only.
/// </summary>
internal sealed class EarlyQuestions
{
    // Who is not answered asks again.
    private const int Most = 256;

    private readonly List<(IWireMessage Question, IActorRef Asker)> _all = [];

    /// <summary>Keeps a question, unless there are too many.</summary>
    public void Keep(IWireMessage question, IActorRef asker)
    {
        if (_all.Count < Most)
            _all.Add((question, asker));
    }

    /// <summary>Puts all of them, in their order.</summary>
    public void AskAgain(IActorRef runs)
    {
        foreach (var (question, asker) in _all)
            runs.Tell(question, asker);
        _all.Clear();
    }
}
