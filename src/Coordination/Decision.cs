using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>What is decided about a request, a result or a command: events to store, or a reason why not.</summary>
/// <param name="Events">Empty when it was carried out before.</param>
public sealed record Decision(IReadOnlyList<RunEvent> Events, string? Refusal)
{
    /// <summary>Changes nothing: it was carried out before.</summary>
    public static readonly Decision AlreadyDone = new([], null);

    public static Decision Store(params RunEvent[] events) => new(events, null);

    public static Decision Refuse(string why) => new([], why);
}
