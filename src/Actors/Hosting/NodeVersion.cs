using System.Globalization;
using Elastic.Messages;

namespace Elastic.Actors.Hosting;

/// <summary>
/// The version of a node, as the cluster's gossip carries it from the first moment (akka.cluster.app-version): before the node reads any
/// message of Elastic, which another version might misread.
/// </summary>
internal sealed record NodeVersion(string Elastic, int Wire)
{
    private const string Mark = "-wire";

    public static NodeVersion Of(string elastic) => new(elastic, WireVersion.Current);

    public static NodeVersion Parse(string text) =>
        text.LastIndexOf(Mark, StringComparison.Ordinal) is var at and > 0
        && int.TryParse(text.AsSpan(at + Mark.Length), CultureInfo.InvariantCulture, out var wire)
            ? new NodeVersion(text[..at], wire)
            : new NodeVersion(text, 0);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Elastic}{Mark}{Wire}");

    /// <summary>Why a node of this version cannot be part of the cluster; null where it can.</summary>
    public string? Refusal(NodeVersion cluster) => this == cluster ? null
        : $"this node is Elastic {Shown(cluster)}, the cluster is {cluster.Shown(this)}: " +
          "results of different versions must not be mixed; " +
          $"install {cluster.Elastic} here, or upgrade the cluster: stop all its nodes, replace, start (the journal is kept)";

    // Names the wire's version only where the versions of Elastic are equal.
    private string Shown(NodeVersion beside) =>
        Elastic == beside.Elastic ? string.Create(CultureInfo.InvariantCulture, $"{Elastic} (wire version {Wire})") : Elastic;
}
