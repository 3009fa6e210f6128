using System.Globalization;

namespace Elastic.Step;

/// <summary>A control group of Linux with a memory limit, of version 1 or 2. Making one needs root.</summary>
internal sealed class ControlGroup
{
    private const string First = "/sys/fs/cgroup/memory", Second = "/sys/fs/cgroup";

    /// <param name="name">Of its folder.</param>
    public ControlGroup(string name, long limitBytes)
    {
        var isFirst = Directory.Exists(First);
        Folder = Directory.CreateDirectory(Path.Combine(isFirst ? First : Second, name)).FullName;
        File.WriteAllText(
            Path.Combine(Folder, isFirst ? "memory.limit_in_bytes" : "memory.max"), limitBytes.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Where the system has it.</summary>
    public string Folder { get; }

    /// <summary>Puts this process into it: what it allocates from then on counts.</summary>
    public static void Enter(string folder) =>
        File.WriteAllText(Path.Combine(folder, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));

    /// <summary>Ends it. Its processes have ended.</summary>
    public void Remove() => Directory.Delete(Folder);
}
