using System.Globalization;

namespace Elastic.Foundation;

/// <summary>
/// The memory that this process may use: the machine's, or what the limits of its container and control groups leave of it. A container
/// sees the machine's numbers in /proc/meminfo, and its process is killed at the limit of its group.
/// </summary>
/// <param name="TotalBytes">The smallest limit that holds for this process.</param>
/// <param name="FreeBytes">What it may still take; caches that would give way count as free.</param>
public sealed record MachineMemory(long TotalBytes, long FreeBytes)
{
    /// <summary>The memory as it is now.</summary>
    public static MachineMemory Now() => Of("/");

    /// <summary>The memory, as it is now, of a machine whose /proc and /sys are below <paramref name="root"/>.</summary>
    public static MachineMemory Of(string root)
    {
        var memory = OfMachine(root) ?? OfRuntime();
        foreach (var group in Groups(root))
        {
            // The root group of version 1 says 2^63 where there is no limit, version 2 "max".
            if (Number(group.Limit) is not { } limit || limit >= memory.TotalBytes)
                continue;
            var used = (Number(group.Usage) ?? 0) - (Field(group.Statistics, group.Cache, 1) ?? 0);
            memory = new MachineMemory(limit, Math.Clamp(limit - used, 0, memory.FreeBytes));
        }
        return memory;
    }

    // Linux: "MemAvailable:   12345 kB" includes memory that caches would give back, which other counters of free memory do not.
    private static MachineMemory? OfMachine(string root)
    {
        var file = Path.Combine(root, "proc/meminfo");
        return Field(file, "MemTotal:", 1024) is { } total && Field(file, "MemAvailable:", 1024) is { } free
            ? new MachineMemory(total, free)
            : null;
    }

    // Where there is no /proc. Not elsewhere: the runtime sets aside a part of a container's memory, and tensors are not in its heap.
    private static MachineMemory OfRuntime()
    {
        var info = GC.GetGCMemoryInfo();
        return new MachineMemory(info.TotalAvailableMemoryBytes, Math.Max(0, info.TotalAvailableMemoryBytes - info.MemoryLoadBytes));
    }

    private sealed record ControlGroup(string Limit, string Usage, string Statistics, string Cache);

    // The process's groups and all groups above them, of versions 1 and 2. A line of /proc/self/cgroup is "4:memory:/a/b" or "0::/a/b". In
    // a container the path may be the machine's, which is not there: then the container's own group is the one at the top.
    private static IEnumerable<ControlGroup> Groups(string root)
    {
        foreach (var parts in Lines(Path.Combine(root, "proc/self/cgroup")).Select(line => line.Split(':', 3)))
        {
            if (parts is not [_, var controllers, var path] || (controllers.Length > 0 && !controllers.Split(',').Contains("memory")))
                continue;
            var top = Path.Combine(root, controllers.Length == 0 ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
            var names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
            for (var depth = names.Length; depth >= 0; depth--)
            {
                string File(string name) => Path.Combine([top, .. names[..depth], name]);
                yield return controllers.Length == 0
                    ? new ControlGroup(File("memory.max"), File("memory.current"), File("memory.stat"), "inactive_file")
                    : new ControlGroup(
                        File("memory.limit_in_bytes"), File("memory.usage_in_bytes"), File("memory.stat"), "total_inactive_file");
            }
        }
    }

    private static long? Number(string file) => Parse(Lines(file).FirstOrDefault());

    private static long? Field(string file, string name, long unit) =>
        Parse(Lines(file).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(words => words.Length > 1 && words[0] == name)?[1]) * unit;

    private static long? Parse(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string[] Lines(string file)
    {
        try
        {
            return System.IO.File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
