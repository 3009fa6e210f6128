using Akka.Actor;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

/// <summary>Questions that came before the list of runs was read. Part of RunsActor: used on its mailbox only.</summary>
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
