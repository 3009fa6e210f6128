namespace Elastic.PlantedBugs;

/// <summary>A mistake that somebody could make in a later change.</summary>
/// <param name="Name">What the code does wrong with it.</param>
/// <param name="File">Path in the repository.</param>
/// <param name="Original">A piece of the file that stands there once.</param>
/// <param name="Changed">What stands there with the bug.</param>
public sealed record PlantedBug(string Name, string File, string Original, string Changed)
{
    /// <summary>The file's text with the bug.</summary>
    /// <exception cref="InvalidOperationException">The piece is not there, or more than once.</exception>
    public string PlantIn(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var at = text.IndexOf(Original, StringComparison.Ordinal);
        if (at < 0 || text.IndexOf(Original, at + 1, StringComparison.Ordinal) >= 0)
            throw new InvalidOperationException(
                $"{File} has the original of \"{Name}\" {(at < 0 ? "nowhere" : "more than once")}: " +
                "correct it in bench/PlantedBugs/AllBugs.cs");
        return string.Concat(text.AsSpan(0, at), Changed, text.AsSpan(at + Original.Length));
    }
}
