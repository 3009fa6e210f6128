using System.Text;

namespace Elastic.Foundation;

/// <summary>Folders that are made as a whole: written beside their place under another name, and renamed once all is on the disk.</summary>
public static class NewFolder
{
    private const string Holder = ".being-made";
    private const int LongestMachine = 256;

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

    /// <summary>The same. What processes that were killed have left of this folder is removed first.</summary>
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
            held = Hold(temporary);
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

    // A file in the folder that names the machine, and is locked as long as the process lives that makes the folder; it goes with the lock.
    // Null where the disk knows no locks, so that a process that makes the folder cannot be told from one that was killed: without the file
    // nobody takes the folder for a leftover.
    private static FileStream? Hold(string temporary)
    {
        var path = Path.Combine(temporary, Holder);
        var held = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
        try
        {
            new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
        }
        catch (IOException)
        {
            held.Write(Encoding.UTF8.GetBytes(Environment.MachineName));
            return held;
        }

        held.Dispose();
        return null;
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
                RemoveIfLeft(folder);
    }

    private static void RemoveIfLeft(string folder)
    {
        try
        {
            // Held until all else is gone: no other process removes the same folder at once.
            var holder = Path.Combine(folder, Holder);
            using (var left = new FileStream(holder, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            {
                // Whoever has made the folder lets go of the file after it was removed: then the folder is whole, and about to be renamed.
                if (!File.Exists(holder))
                    return;
                var machine = new byte[LongestMachine];
                if (Encoding.UTF8.GetString(machine, 0, left.ReadAtLeast(machine, machine.Length, throwOnEndOfStream: false))
                    != Environment.MachineName)
                    return;                                            // its locks may not be seen here
                foreach (var entry in Directory.EnumerateFileSystemEntries(folder).Where(e => Path.GetFileName(e) != Holder).ToList())
                    if (Directory.Exists(entry) && new DirectoryInfo(entry).LinkTarget is null)
                        Directory.Delete(entry, true);
                    else
                        File.Delete(entry);
            }

            Directory.Delete(folder, true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is being made, or is somebody else's.
        }
    }
}
