using Elastic.Foundation.Certificates;
using Elastic.Messages.Settings;

namespace Elastic.Host.Ops;

/// <summary>What a scraper shows that reaches the ops port from another machine.</summary>
internal static class OpsToken
{
    /// <summary>The file's name in a data directory.</summary>
    public const string FileName = "ops-token";

    private static readonly TokenWords Words = new(
        "the token for metrics", "who can read the metrics with it",
        "it has to be 64 hexadecimal digits, as openssl rand -hex 32 makes them; a file that node.ops-token-file does not name may be "
        + "deleted, and the node makes another one when it starts");

    /// <summary>The node's token: that of <c>node.ops-token-file</c>, else one in the data directory, drawn at the first start.</summary>
    /// <inheritdoc cref="SecretToken.Read" path="/exception"/>
    public static SecretToken Of(NodeSettings node) => node.OpsTokenFile is { } named
        ? SecretToken.Read(Path.GetFullPath(named), Words)
        : SecretToken.ReadOrDraw(Path.GetFullPath(Path.Combine(node.DataDir, FileName)), Words);
}
