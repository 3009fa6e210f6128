using System.Text;

namespace Elastic.Foundation;

/// <summary>
/// A file that lines are added to, and that never grows beyond a bound: a full one becomes <c>log.1.txt</c>, in place of the one before.
/// Opened for each addition, because there are few and a killed process must not lose the last ones. Ignores errors: a log must not end a
/// run. Several objects of a process may write to one file.
/// </summary>
/// <param name="mostBytes">Where the file is put aside.</param>
public sealed class LogFile(string path, long mostBytes = LogFile.MostBytes)
{
    /// <summary>Some 80,000 lines: days of an eventful cluster, and quickly read.</summary>
    public const long MostBytes = 8L << 20;

    private static readonly Lock Gate = new();

    /// <summary>The file that a full one becomes.</summary>
    public string Older => Path.Combine(
        Path.GetDirectoryName(path)!, $"{Path.GetFileNameWithoutExtension(path)}.1{Path.GetExtension(path)}");

    /// <summary>Adds whole lines.</summary>
    /// <returns>False where they could not be written.</returns>
    public bool Append(string lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        try
        {
            lock (Gate)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                if (new FileInfo(path) is { Exists: true } file && file.Length + Encoding.UTF8.GetByteCount(lines) > mostBytes)
                    File.Move(path, Older, overwrite: true);
                var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write };
                // Logs hold names and paths; the process that writes one need not have begun with PrivateFiles.
                if (!OperatingSystem.IsWindows())
                    options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
                using var writer = new StreamWriter(path, options);
                writer.Write(lines);
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
