using System.Globalization;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>
/// One core for the process that is measured, and the others for everything else: this process, and what it starts from now on. What others
/// do then takes no time slices of what is measured, and moves none of its threads.
/// </summary>
/// <param name="Measured">How to start the process that is measured.</param>
/// <param name="Text">Which cores are whose, or why none are.</param>
internal sealed record CoresApart(Launch Measured, string Text)
{
    /// <summary>Parts the cores that this process may use, by <c>taskset</c>.</summary>
    public static async Task<CoresApart> PartAsync()
    {
        if (!OperatingSystem.IsLinux() || Programs.Find(Programs.SearchPath, "taskset") is not { } taskset)
            return new CoresApart(Launch.Elastic, "not pinned: this machine has no taskset");
        var cores = Allowed();
        if (cores.Count < 2)
            return new CoresApart(Launch.Elastic, "not pinned: this process has one core");
        var (first, others) = ($"{cores[0]}", string.Join(',', cores.Skip(1)));
        // All threads of this process; those that begin later, and processes, take over what their parent has.
        var (code, said) = await Tool.RunAsync(taskset, "-a", "-c", "-p", others, $"{Environment.ProcessId}");
        return code == 0
            ? new CoresApart(
                Launch.Elastic with { Wrapper = [taskset, "-c", first] }, $"the worker on core {first}, everything else on {others}")
            : new CoresApart(Launch.Elastic, $"not pinned: {said.Trim()}");
    }

    // "0-1,4": as the kernel writes it.
    private static List<int> Allowed()
    {
        const string Name = "Cpus_allowed_list:";
        var list = File.ReadLines("/proc/self/status").First(l => l.StartsWith(Name, StringComparison.Ordinal))[Name.Length..].Trim();
        return
        [
            .. list.Split(',').Select(part => part.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToList())
                .SelectMany(range => Enumerable.Range(range[0], range[^1] - range[0] + 1)),
        ];
    }
}
