using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>
/// Keeps files to the user whose process makes them: weights, journals and copies of texts that only this user may read. On Windows, a
/// folder inherits who may read it from the one that it is in.
/// </summary>
public static partial class PrivateFiles
{
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>
    /// Makes this process create folders of mode 0700 and files of 0600, those of native libraries such as SQLite included: there are
    /// too many places that make files for each to be right for ever.
    /// </summary>
    public static void Begin()
    {
        if (!OperatingSystem.IsWindows())
            _ = UMask((uint)Others);
    }

    /// <summary>Takes everybody else's rights to an existing folder away; leaves one alone that belongs to another user.</summary>
    public static void Protect(string folder)
    {
        if (OperatingSystem.IsWindows())
            return;
        try
        {
            if (File.GetUnixFileMode(folder) is var mode && (mode & Others) != UnixFileMode.None)
                File.SetUnixFileMode(folder, mode & ~Others);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is made in it from now on is private all the same.
        }
    }

    /// <summary>
    /// What is wrong with the mode of a file that holds a secret: "… is open to other users (mode 0644)"; null for nothing.
    /// </summary>
    /// <exception cref="IOException">The file cannot be looked at.</exception>
    public static string? ProblemOf(string path)
    {
        if (OperatingSystem.IsWindows())
            return null;
        var mode = File.GetUnixFileMode(path);
        return (mode & Others) == UnixFileMode.None
            ? null
            : $"{path} is open to other users (mode 0{Convert.ToString((int)mode, 8)})";
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint UMask(uint mask);
}
