namespace Elastic.Foundation;

/// <summary>Folders that are made as a whole: written beside their place under another name, and renamed once all is on the disk.</summary>
public static class NewFolder
{
    /// <summary>Says before any work is done what would make <see cref="Make"/> fail.</summary>
    /// <param name="option">The option that names the folder, for the message.</param>
    /// <exception cref="ElasticException">
    /// The place is taken, by a file or by a folder that is not empty, or nothing can be written there.
    /// </exception>
    public static void CheckFree(string path, string option)
    {
        if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
            throw new ElasticException($"{path} is there already, and nothing is overwritten: name another folder with {option}, "
                + "or remove this one first");
        var whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        // It is made beside its place.
        WritePlace.Check(path, option, from: Path.GetDirectoryName(whole));
        if (!Directory.Exists(whole))
            return;
        try
        {
            // An empty folder makes place for the new one, which one that something is mounted on cannot.
            var moved = DurableFile.TemporaryPath(whole);
            Directory.Move(whole, moved);
            Directory.Move(moved, whole);
        }
        catch (Exception e) when (WritePlace.IsRefused(e))
        {
            throw WritePlace.Problem(path, e, $"name another folder with {option}, e.g. one within it");
        }
    }

    /// <summary>Makes the folder, which must not exist or be empty.</summary>
    /// <param name="fill">Writes the files into the folder that it is given; they are on the disk when this returns.</param>
    /// <exception cref="ElasticException">The folder cannot be made; nothing is left of it.</exception>
    public static void Make(string path, Action<string> fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        // Nothing is waited for: all of it happens before the task is given back.
        MakeAsync(path, temporary =>
        {
            fill(temporary);
            return Task.CompletedTask;
        }).GetAwaiter().GetResult();
    }

    /// <summary>
    /// Makes the folder, as <see cref="Make"/> does. What processes that were killed have left of this folder is removed first.
    /// </summary>
    /// <inheritdoc cref="Make"/>
    public static async Task MakeAsync(string path, Func<string, Task> fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        RemoveLeftovers(path);
        var temporary = DurableFile.TemporaryPath(path);
        FileStream? held = null;
        try
        {
            Directory.CreateDirectory(temporary);
            held = FolderHolder.Hold(temporary);
            await fill(temporary);
            // Without this file nobody takes the folder for a leftover.
            held?.Dispose();
            foreach (var file in Directory.EnumerateFiles(temporary))
                DurableFile.Flush(file);
            DurableFile.FlushFolder(temporary);
            // An empty folder stands in the way of a rename; one that is not empty any more is not deleted here.
            if (Directory.Exists(path))
                Directory.Delete(path);
            Directory.Move(temporary, path);
            DurableFile.FlushFolder(Path.GetDirectoryName(path)!);
        }
        catch (Exception e)
        {
            held?.Dispose();
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, true);
            // What to do about a full disk the caller knows: the folder may be on the way to somewhere else.
            if (WritePlace.IsRefused(e) && !DiskSpace.IsExhausted(e))
                throw WritePlace.Problem(path, e, "name another folder");
            throw;
        }
    }

    // Of this very name and a drawn suffix, with the file in it that a process of this machine has locked no more. Any other folder stays.
    private static void RemoveLeftovers(string path)
    {
        if (Path.GetDirectoryName(path) is not { } parent || !Directory.Exists(parent))
            return;
        foreach (var folder in Directory.EnumerateDirectories(parent, $"{Path.GetFileName(path)}.*", new EnumerationOptions
        {
            AttributesToSkip = FileAttributes.ReparsePoint,
        }))
            if (DurableFile.IsTemporaryOf(path, folder))
                FolderHolder.RemoveIfLeft(folder);
    }
}
