using System.Globalization;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>What each thread of a process has had of a processor so far, in nanoseconds, as Linux counts it.</summary>
internal sealed class ThreadTimes
{
    private readonly Dictionary<string, long> _nanoseconds = [];

    private ThreadTimes()
    {
    }

    public static ThreadTimes Of(int process)
    {
        var times = new ThreadTimes();
        foreach (var thread in Directory.GetDirectories($"/proc/{process}/task"))
        {
            try
            {
                // "time on a processor, time of waiting for one, slices".
                var first = File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ')[0];
                times._nanoseconds[Path.GetFileName(thread)] = long.Parse(first, CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // It has ended meanwhile.
            }
        }

        return times;
    }

    /// <summary>Milliseconds since an earlier look: of all threads that are here, and of the one that had the most, which trains.</summary>
    public (double All, double Busiest) Since(ThreadTimes before)
    {
        var had = _nanoseconds.Select(t => (t.Value - before._nanoseconds.GetValueOrDefault(t.Key)) / 1e6).ToList();
        return (had.Sum(), had.Max());
    }
}
