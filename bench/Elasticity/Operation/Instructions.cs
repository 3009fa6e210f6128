using System.Globalization;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>
/// Counts what a process does by <c>perf stat</c>: instructions, which neither caches nor clocks change, where the machine has a counter of
/// them and shows it to its users.
/// </summary>
/// <param name="counter">As <c>perf list</c> names it.</param>
internal sealed class Instructions(string counter)
{
    /// <summary>Counts for a while.</summary>
    /// <returns>Null where this machine does not count them.</returns>
    public async Task<double?> CountAsync(int process, TimeSpan duration)
    {
        if (Programs.Find(Programs.SearchPath, "perf") is not { } perf)
            return null;
        // "count,unit,event,…"; "<not supported>,,event,…" in most virtual machines. Without permission it ends with another code.
        var (code, said) = await Tool.RunAsync(perf, "stat", "-x", ",", "-e", counter, "-p", $"{process}", "--", "sleep",
            duration.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        return code == 0 && said.Split('\n').FirstOrDefault(l => l.Contains(counter, StringComparison.Ordinal)) is { } line
            && double.TryParse(line.Split(',')[0], NumberStyles.Float, CultureInfo.InvariantCulture, out var count)
            ? count : null;
    }
}
