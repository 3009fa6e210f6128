using System.Text;

namespace Elastic.Foundation;

/// <summary>Tells the folders that a process is at work in from those that one left which was killed.</summary>
internal static class FolderHolder
{
    private const string Name = ".being-made";
    private const int LongestMachine = 256;

    /// <summary>
    /// Makes a file in the folder that names the machine, and is locked as long as the process lives; it goes with the lock. Without the
    /// file nobody takes the folder for a leftover.
    /// </summary>
    /// <returns>Null where the disk knows no locks, so that a process that is at work cannot be told from one that was killed.</returns>
    public static FileStream? Hold(string folder)
    {
        var path = Path.Combine(folder, Name);
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

    /// <summary>Removes the folder if a process of this machine held it and does no more.</summary>
    public static void RemoveIfLeft(string folder)
    {
        try
        {
            // Held until all else is gone: no other process removes the same folder at once.
            var holder = Path.Combine(folder, Name);
            using (var left = new FileStream(holder, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            {
                // Whoever has made the folder lets go of the file after it was removed: then the folder is whole, and about to be renamed.
                if (!File.Exists(holder))
                    return;
                var machine = new byte[LongestMachine];
                if (Encoding.UTF8.GetString(machine, 0, left.ReadAtLeast(machine, machine.Length, throwOnEndOfStream: false))
                    != Environment.MachineName)
                    return;                                            // its locks may not be seen here
                foreach (var entry in Directory.EnumerateFileSystemEntries(folder).Where(e => Path.GetFileName(e) != Name).ToList())
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
