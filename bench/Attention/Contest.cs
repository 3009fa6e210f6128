using System.Diagnostics;

namespace Elastic.Bench.Attention;

/// <summary>Something that is timed: how many operations it needs, and the best time so far.</summary>
internal sealed class Contest(string name, double operations, Action run)
{
    public string Name { get; } = name;

    public double Best { get; private set; } = double.PositiveInfinity;

    public double PerSecond => operations / Best;

    /// <summary>The second of two runs: what fits a cache is there.</summary>
    public void Measure()
    {
        run();
        Best = Math.Min(Best, Seconds(run));
    }

    public static double Seconds(Action run)
    {
        var start = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
