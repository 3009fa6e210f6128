using System.Text.RegularExpressions;

namespace Elastic.Corpus;

/// <summary>A path of a source on a node of the cluster: <c>worker-1:/data/web</c>, <c>10.0.0.7:4053:/data/web</c>.</summary>
/// <param name="Node">The node's address, or its id.</param>
/// <param name="Path">A full path on its machine: a file or a folder.</param>
public sealed partial record NodePath(string Node, string Path)
{
    /// <summary>Reads a path of a manifest.</summary>
    /// <returns>Null for a path of this machine, and for a URL.</returns>
    public static NodePath? Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return !SourceUrl.Is(text) && Written().Match(text) is { Success: true } match
            ? new NodePath(match.Groups["node"].Value, match.Groups["path"].Value) : null;
    }

    /// <summary>As it is written.</summary>
    public override string ToString() => $"{Node}:{Path}";

    // A node's name has more than one character: C:/data is a path of Windows.
    [GeneratedRegex(@"\A(?<node>(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]+)(:[0-9]{1,5})?):(?<path>/.*)\z",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Written();
}
