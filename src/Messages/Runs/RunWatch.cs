namespace Elastic.Messages.Runs;

/// <summary>What a person's window on a run says.</summary>
public abstract record RunWatch(RunId RunId) : IWireMessage
{
    /// <summary>From now on every <see cref="RunView"/> goes to the sender, the newest at once.</summary>
    public sealed record Watch(RunId RunId) : RunWatch(RunId);

    /// <summary>Stop at the next step boundary; the same start goes on later.</summary>
    public sealed record Stop(RunId RunId) : RunWatch(RunId);
}
