using Elastic.Messages.Runs;

namespace Elastic.Actors.Control;

/// <summary>Says who asks, for requests that begin in this process.</summary>
public static class Origins
{
    /// <param name="who">E.g. "elastic train".</param>
    public static Origin Now(string who) =>
        new(Guid.NewGuid().ToString("N"), $"{who} {Environment.UserName}@{Environment.MachineName}", DateTimeOffset.UtcNow);
}
