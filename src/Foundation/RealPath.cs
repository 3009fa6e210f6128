namespace Elastic.Foundation;

/// <summary>Where a path leads once all links in it are followed.</summary>
public static class RealPath
{
    // As many as Linux follows.
    private const int MostLinks = 40;

    /// <summary>The path without links. What is not there is no link.</summary>
    /// <exception cref="IOException">Links lead to each other.</exception>
    public static string Of(string path)
    {
        var links = 0;
        return Resolved(Path.GetFullPath(path), ref links);
    }

    /// <summary>Whether a path leads to a folder of the list, or to what is below one. Links in both are followed.</summary>
    public static bool IsBelow(string path, IEnumerable<string> folders)
    {
        ArgumentNullException.ThrowIfNull(folders);
        try
        {
            var real = Of(path);
            return folders.Any(folder => IsIn(real, Path.TrimEndingDirectorySeparator(Of(folder))));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool IsIn(string path, string folder) => path == folder
        || path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static string Resolved(string path, ref int links)
    {
        var real = Path.GetPathRoot(path)!;
        foreach (var name in path[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            var next = Path.Combine(real, name);
            if (new FileInfo(next).LinkTarget is not { } target)
                real = next;
            else if (++links > MostLinks)
                throw new IOException($"{path} leads through more than {MostLinks} links");
            else
                real = Resolved(Path.GetFullPath(target, real), ref links);
        }
        return real;
    }
}
