using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Host.Display;

namespace Elastic.Host.Doctor;

/// <summary>Free space and speed of the data directory, measured as a checkpoint writes: all bytes, then fsync.</summary>
internal static class DiskFindings
{
    private const int ProbeBytes = 64 << 20, PieceBytes = 1 << 20;
    private const double LeastFree = 2L << 30, LeastBytesPerSecond = 10 << 20;

    /// <summary>Writes and removes a file of 64 MiB. A directory that did not exist does not exist afterwards.</summary>
    public static IEnumerable<Finding> Of(DataDirectory data)
    {
        var existed = Directory.Exists(data.Root);
        var findings = new List<Finding>();
        try
        {
            Directory.CreateDirectory(data.Root);
            var free = DiskSpace.FreeBytes(data.Root);
            findings.Add(new Finding("disk", $"{Units.Bytes(free)} free for {data.Root}",
                free < LeastFree
                    ? "free some space or choose another folder with --data-dir; checkpoint.keep says how many checkpoints stay"
                    : null));
            if (free > 2L * ProbeBytes)
            {
                var (written, flushed) = Measure(Path.Combine(data.Root, $".probe-{Environment.ProcessId}"));
                var speed = ProbeBytes / (written + flushed).TotalSeconds;
                findings.Add(new Finding("disk speed",
                    $"{Units.Bytes(speed)}/s for {Units.Bytes(ProbeBytes)} written ({written.TotalMilliseconds:0} ms) "
                    + $"and flushed ({flushed.TotalMilliseconds:0} ms)",
                    speed < LeastBytesPerSecond
                        ? "checkpoints will take long: choose a local disk with --data-dir, or checkpoint less often"
                        : null));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Add(new Finding("disk", $"{data.Root}: {e.Message}",
                "choose a folder that you may write in, with --data-dir or ELASTIC_DATA_DIR"));
        }
        finally
        {
            if (!existed && Directory.Exists(data.Root) && !Directory.EnumerateFileSystemEntries(data.Root).Any())
                Directory.Delete(data.Root);
        }

        return findings;
    }

    private static (TimeSpan Written, TimeSpan Flushed) Measure(string file)
    {
        try
        {
            var piece = new byte[PieceBytes];
            Random.Shared.NextBytes(piece);                     // some file systems store zeros without writing them
            using var stream = new FileStream(file, FileMode.Create, FileAccess.Write);
            var watch = Stopwatch.StartNew();
            for (var written = 0; written < ProbeBytes; written += PieceBytes)
                stream.Write(piece);
            var untilFlush = watch.Elapsed;
            stream.Flush(flushToDisk: true);
            return (untilFlush, watch.Elapsed - untilFlush);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
