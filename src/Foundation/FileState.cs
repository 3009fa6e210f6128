namespace Elastic.Foundation;

/// <summary>What shows, without reading a file, whether it is the one that was read before.</summary>
/// <param name="Bytes">Its length.</param>
/// <param name="Written">When it was last written to, UTC.</param>
public readonly record struct FileState(long Bytes, DateTime Written)
{
    /// <summary>The state of a file, of its target where it is a link; null where there is none, or it cannot be looked at.</summary>
    public static FileState? Of(string path)
    {
        try
        {
            var file = new FileInfo(path);
            if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
                file = target;
            return file.Exists ? new FileState(file.Length, file.LastWriteTimeUtc) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
