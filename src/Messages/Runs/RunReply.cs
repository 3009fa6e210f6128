namespace Elastic.Messages.Runs;

/// <summary>The one answer to each request.</summary>
public abstract record RunReply(RunName Run) : IWireMessage
{
    /// <summary>Done, and stored where there was something to store.</summary>
    public sealed record Accepted(RunName Run, RunId RunId) : RunReply(Run);

    /// <summary>Not done, and why.</summary>
    public sealed record Refused(RunName Run, string Why) : RunReply(Run);
}
