namespace Elastic.Foundation;

/// <summary>
/// The files and folders that people name for what a command writes: whether they can be made is tried before the work, and what fails
/// later names them, and not the temporary files on the way to them.
/// </summary>
public static class WritePlace
{
    /// <summary>Says before any work is done that nothing can be written there: tries it in the nearest folder that exists.</summary>
    /// <param name="option">The option that names the place, for the message.</param>
    /// <param name="from">The folder that is to be tried first; null for the place itself, where it is a folder.</param>
    /// <exception cref="ElasticException">It cannot be written.</exception>
    public static void Check(string path, string option, string? from = null)
    {
        var whole = Path.GetFullPath(path);
        for (var folder = from ?? whole; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (Directory.Exists(folder))
            {
                Try(path, folder, option);
                return;
            }
            if (folder != whole && File.Exists(folder))
                throw new ElasticException($"{path} cannot be written ({folder} is a file): name another place with {option}");
        }
    }

    /// <summary>Does what writes there, and turns what the disk refuses there into an error that names the place.</summary>
    /// <param name="path">The full path.</param>
    /// <param name="remedy">What a person does about it, e.g. "name another folder with --out".</param>
    /// <exception cref="ElasticException">It cannot be written.</exception>
    public static async Task<T> WriteAsync<T>(string path, string remedy, Func<Task<T>> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        try
        {
            return await work();
        }
        // What the disk refuses elsewhere has another remedy.
        catch (Exception e) when (IsRefused(e) && (DiskSpace.IsExhausted(e) || e.Message.Contains(path, StringComparison.Ordinal)))
        {
            throw Problem(path, e, remedy);
        }
    }

    /// <summary>Whether it is the operating system's refusal of a file or folder.</summary>
    public static bool IsRefused(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>The error of a place that the disk has refused.</summary>
    /// <param name="remedy">What a person does about it, e.g. "name another folder with --out".</param>
    public static ElasticException Problem(string path, Exception e, string remedy)
    {
        ArgumentNullException.ThrowIfNull(e);
        return DiskSpace.IsExhausted(e)
            ? new ElasticException($"{path} cannot be written (the disk is full): free space there, or {remedy}", e)
            : new ElasticException(
                $"{path} cannot be written ({DurableFile.WithoutTemporary(e.Message).TrimEnd('.')}): {remedy}", e);
    }

    private static void Try(string path, string folder, string option)
    {
        var tried = DurableFile.TemporaryPath(Path.Combine(folder, ".elastic"));
        try
        {
            Directory.CreateDirectory(tried);
            Directory.Delete(tried);
        }
        catch (Exception e) when (IsRefused(e))
        {
            var why = e.Message.Replace(tried, folder, StringComparison.Ordinal).TrimEnd('.');
            throw new ElasticException(
                $"{path} cannot be written (nothing can be made in {folder}: {why}): name another place with {option}", e);
        }
    }
}
