using Elastic.Actors.Control;

namespace Elastic.Host.Display;

/// <summary>How far the build of a manifest is, for people.</summary>
internal static class BuildLines
{
    /// <summary>How far a build is, in one line.</summary>
    public static string Of(BuildSight now) =>
        now.Phase
        // Nobody knows how much there is while the sources are listed.
        + (now.OfBytes > 0 || now.Documents > 0
            ? $": {Units.Count(now.Documents, "document")}, {Units.Bytes(now.Bytes)} of {Units.Bytes(now.OfBytes)}" : "")
        + (now.DocumentsPerSecond > 0 ? $", {Units.Count(now.DocumentsPerSecond)}/s, {Units.Bytes(now.BytesPerSecond)}/s" : "")
        + (now.Tokens > 0 ? $", {Units.Count(now.Tokens, "token")}" : "")
        + (now.TokensPerSecond > 0 ? $", {Units.Count(now.TokensPerSecond)} tokens/s" : "")
        + (now.Left is { } left ? $", {Units.Duration(left)} left" : "")
        + (now.Nodes > 0 ? $", {Units.Many(now.Nodes, "node")}" : "")
        + string.Concat(now.Dropped.Select(d => $", {d.Stage} dropped {Units.Count(d.Documents)}"));
}
