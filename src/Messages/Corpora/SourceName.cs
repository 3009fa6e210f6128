using Elastic.Foundation;

namespace Elastic.Messages.Corpora;

/// <summary>
/// The name of a source where scores are told apart by it. It comes out of files, so that it is one line of at most
/// <see cref="Longest"/> characters here.
/// </summary>
public static class SourceName
{
    /// <summary>Characters of a name.</summary>
    public const int Longest = 100;

    /// <summary>What counts for no source of its own, because there are too many.</summary>
    public const string Others = "others";

    /// <summary>The name as it is shown.</summary>
    public static string Of(string name) => OneLine.Of(name, Longest - 1);
}
