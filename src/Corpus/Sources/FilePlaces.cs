using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Where files are, however their paths are spelled: links are followed, and what a folder's path leads to is looked up once. Not
/// thread-safe.
/// </summary>
internal sealed class FilePlaces
{
    private readonly Dictionary<string, string> _folders = new(StringComparer.Ordinal);

    /// <summary>Tells places apart as the file systems of this machine do by default.</summary>
    public static StringComparer Comparer { get; } =
        OperatingSystem.IsWindows() || OperatingSystem.IsMacOS() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    /// <inheritdoc cref="Of(string)"/>
    public string Of(SourceFile file) => Of(file.Path);

    /// <summary>The path of a file without links; what cannot be looked up is where its path says, and cannot be read either.</summary>
    public string Of(string path)
    {
        var full = Path.GetFullPath(path);
        try
        {
            if (Path.GetDirectoryName(full) is not { } folder || new FileInfo(full).LinkTarget is not null)
                return RealPath.Of(full);
            if (!_folders.TryGetValue(folder, out var real))
                _folders[folder] = real = RealPath.Of(folder);
            return Path.Combine(real, Path.GetFileName(full));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return full;
        }
    }
}
