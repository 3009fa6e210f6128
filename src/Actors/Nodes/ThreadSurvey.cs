using System.Diagnostics;
using System.Globalization;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>
/// What the operating system says of this process's threads. Which functions they are in, .NET tells a debugger only; where the system has
/// no /proc, there is nothing to say.
/// </summary>
internal static class ThreadSurvey
{
    // A message holds them all; who has more shows those that compute most.
    private const int Most = 200, LongestText = 64;

    // Linux counts a thread's time in hundredths of a second, on all processors that .NET runs on.
    private const double TicksPerSecond = 100;

    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(200);

    /// <summary>Looks twice, a moment apart, so that it is known which threads compute.</summary>
    /// <param name="folder">A folder for each thread, with the files comm, stat and wchan.</param>
    /// <returns>The threads; those that compute most come first.</returns>
    public static async Task<ThreadView[]> TakeAsync(string folder = "/proc/self/task")
    {
        var began = Stopwatch.GetTimestamp();
        var before = Read(folder).ToDictionary(t => t.Id, t => t.View.CpuSeconds);
        await Task.Delay(Between);
        // Longer where the machine is busy.
        var passed = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return
        [
            .. Read(folder)
                .Select(t => t.View with
                {
                    CpuShare = Math.Max(0, t.View.CpuSeconds - before.GetValueOrDefault(t.Id, t.View.CpuSeconds)) / passed,
                })
                .OrderByDescending(t => t.CpuShare).ThenByDescending(t => t.CpuSeconds).ThenBy(t => t.Name, StringComparer.Ordinal)
                .Take(Most),
        ];
    }

    private static List<(string Id, ThreadView View)> Read(string folder) =>
        Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder).Select(Of).OfType<(string, ThreadView)>()] : [];

    // "42 (name) S 1 ...": the name may hold anything, so that its end is the last parenthesis. The state is field 3, times are 14 and 15.
    private static (string Id, ThreadView View)? Of(string folder)
    {
        try
        {
            var stat = File.ReadAllText(Path.Combine(folder, "stat"));
            var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var wchan = Path.Combine(folder, "wchan");
            var waitsIn = File.Exists(wchan) ? Text(wchan) : "";
            return (Path.GetFileName(folder), new ThreadView(
                Text(Path.Combine(folder, "comm")), StateOf(fields[0]), waitsIn == "0" ? "" : waitsIn,
                (Number(fields[11]) + Number(fields[12])) / TicksPerSecond, 0));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or IndexOutOfRangeException or FormatException)
        {
            return null;                                               // it has just ended
        }
    }

    private static string Text(string file)
    {
        var text = File.ReadAllText(file).Trim();
        return text.Length > LongestText ? text[..LongestText] : text;
    }

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static string StateOf(string letter) => letter switch
    {
        "R" => "runs",
        "S" => "waits",
        "D" => "waits for a disk",
        "T" or "t" => "is stopped",
        "Z" or "X" => "has ended",
        _ => letter,
    };
}
