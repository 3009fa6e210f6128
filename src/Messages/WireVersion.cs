namespace Elastic.Messages;

/// <summary>The version of what nodes send each other. Nodes that differ in it do not work together.</summary>
public static class WireVersion
{
    /// <summary>
    /// One more whenever a wire message is added, goes, or changes a field (Hyperion reads fields in the order of their names), and
    /// whenever something else is signed.
    /// </summary>
    public const int Current = 12;
}
