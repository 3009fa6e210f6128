using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>What happens to a run: everything that its coordinator ever learns, besides the journal.</summary>
public abstract record RunInput
{
    /// <summary>The journal is replayed.</summary>
    public sealed record Recovered : RunInput;

    /// <summary>The fence has given a term.</summary>
    /// <param name="Asking">Number of the <see cref="RunOutput.BeginTerm"/> that the term answers: only the newest counts.</param>
    public sealed record TermBegun(int Asking, long Term) : RunInput;

    /// <summary>The fence has let a commit pass, or has not: another supervisor has taken the run over.</summary>
    public sealed record Fenced(CoordinatorCommand.CommitRound Commit, bool Passed) : RunInput;

    /// <summary>A person asks something. Answered by <see cref="RunOutput.Reply"/>.</summary>
    /// <param name="Asker">Whom to answer; the coordinator only hands it back.</param>
    public sealed record Asked(RunRequest Request, object? Asker) : RunInput;

    public sealed record Answered(WorkResult Result) : RunInput;

    public sealed record Reported(NodeReport Report) : RunInput;

    /// <summary>A node is gone, or is suspected to be: its work may be given to others.</summary>
    public sealed record Lost(NodeId Node) : RunInput;

    /// <summary>Time passes, and nothing else happens.</summary>
    public sealed record Tick : RunInput;
}

/// <summary>What a coordinator wants done, in this order. Nothing after a <see cref="Store"/> happens before that is durable.</summary>
public abstract record RunOutput
{
    /// <summary>Into the journal. Where that fails the coordinator is discarded; recovery makes a new one.</summary>
    public sealed record Store(IReadOnlyList<RunEvent> Events) : RunOutput;

    public sealed record Send(NodeId Node, IWireMessage Message) : RunOutput;

    public sealed record Reply(object? Asker, RunReply Answer) : RunOutput;

    /// <summary>
    /// The run is to be deleted; this supervisor ends. A start that the run cannot go on with, and that may have the run's name, is carried
    /// out after that.
    /// </summary>
    public sealed record Delete(object? Asker, RunRequest Request) : RunOutput;

    /// <summary>Asks the fence for a term. Answered by <see cref="RunInput.TermBegun"/>.</summary>
    public sealed record BeginTerm(int Asking, int Round) : RunOutput;

    /// <summary>Asks the fence to let a commit pass. Answered by <see cref="RunInput.Fenced"/>.</summary>
    public sealed record AskFence(long Term, CoordinatorCommand.CommitRound Commit) : RunOutput;

    /// <summary>The state is worth a snapshot.</summary>
    public sealed record Snapshot(RunState State) : RunOutput;

    /// <summary>Another supervisor has taken over: this one ends.</summary>
    public sealed record GiveUp(string Why) : RunOutput;

    /// <summary>A node's results were wrong: displays show it as quarantined.</summary>
    public sealed record Distrust(NodeId Node) : RunOutput;

    /// <summary>A message for people.</summary>
    public sealed record Notice(string Text) : RunOutput
    {
        /// <summary>False where nothing is wrong: somebody asked for it, or it is how the run goes.</summary>
        public bool Warns { get; init; } = true;
    }

    /// <summary>What was dropped, and why; for the log.</summary>
    public sealed record Dropped(string What, string Why) : RunOutput;
}
