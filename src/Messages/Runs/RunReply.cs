namespace Elastic.Messages.Runs;

/// <summary>The one answer to each command.</summary>
public abstract record RunReply(RunId RunId) : IWireMessage
{
    /// <summary>Done, and stored where there was something to store.</summary>
    public sealed record Accepted(RunId RunId) : RunReply(RunId);

    /// <summary>Not done, and why.</summary>
    public sealed record Refused(RunId RunId, string Why) : RunReply(RunId);
}
