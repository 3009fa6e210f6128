namespace Elastic.Messages.Runs;

/// <summary>The one answer to each request.</summary>
public abstract record RunReply(RunName Run) : ISaidBySeed
{
    /// <summary>Done, and stored where there was something to store.</summary>
    /// <param name="Notice">What the person who asked should know about it; null for nothing.</param>
    public sealed record Accepted(RunName Run, RunId RunId, string? Notice = null) : RunReply(Run)
    {
        /// <summary>The version that the checkpoint is to have that was asked for; null where none was.</summary>
        public int? Checkpoint { get; init; }

        /// <summary>The run is finished, and this changes nothing about that.</summary>
        public bool IsFinished { get; init; }
    }

    /// <summary>Not done, and why.</summary>
    public sealed record Refused(RunName Run, string Why) : RunReply(Run);
}
