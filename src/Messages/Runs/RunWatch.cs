namespace Elastic.Messages.Runs;

/// <summary>What a display asks about a run.</summary>
public abstract record RunWatch(RunName Run) : IWireMessage
{
    /// <summary>From now on every <see cref="RunView"/> goes to the sender, the newest at once.</summary>
    public sealed record Watch(RunName Run) : RunWatch(Run);

    /// <summary>Once: the <see cref="RunView"/> of this moment.</summary>
    public sealed record Look(RunName Run) : RunWatch(Run);
}

/// <summary>What a person asks about all runs and nodes.</summary>
public abstract record RunsQuery : IWireMessage
{
    /// <summary>Answered by <see cref="RunsAnswer.Names"/>.</summary>
    public sealed record Names : RunsQuery;

    /// <summary>Answered by <see cref="RunsAnswer.Nodes"/>.</summary>
    public sealed record Nodes : RunsQuery;
}

/// <summary>The answer to a <see cref="RunsQuery"/>.</summary>
public abstract record RunsAnswer : IWireMessage
{
    public sealed record Names(RunName[] Runs) : RunsAnswer;

    /// <param name="Supervisor">Address of the process that answers: it supervises.</param>
    public sealed record Nodes(Messages.Nodes.NodeView[] Views, string Supervisor) : RunsAnswer;
}
