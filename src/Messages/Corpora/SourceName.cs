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

    /// <summary>The name as it is shown. Of a longer one the end stays, because files of one folder begin alike.</summary>
    public static string Of(string name, int longest = Longest)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length <= longest)
            return OneLine.Of(name, longest);
        var start = name.Length - longest + 1;
        // Half of a surrogate pair would become another text on its way.
        return "…" + OneLine.Of(name[(char.IsLowSurrogate(name[start]) ? start + 1 : start)..], longest);
    }
}
