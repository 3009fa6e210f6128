namespace Elastic.Foundation.Tests;

public sealed class MachineMemoryTests : IDisposable
{
    private const long MiB = 1 << 20;

    private readonly string _root = Directory.CreateTempSubdirectory("elastic-memory-").FullName;

    public MachineMemoryTests()
    {
        Write("proc/meminfo", "MemTotal:       1048576 kB\nMemFree:         1000 kB\nMemAvailable:    524288 kB\n");
        Write("proc/self/cgroup", "0::/\n");
    }

    [Fact]
    public void Without_limits_the_machine_counts()
    {
        Write("sys/fs/cgroup/memory.max", "max\n");
        Assert.Equal(new MachineMemory(1024 * MiB, 512 * MiB), MachineMemory.Of(_root));
    }

    [Fact]
    public void A_limit_of_a_group_counts_and_its_caches_are_free()
    {
        Write("proc/self/cgroup", "0::/a/b\n");
        Write("sys/fs/cgroup/a/b/memory.max", $"{400 * MiB}\n");
        Write("sys/fs/cgroup/a/b/memory.current", $"{150 * MiB}\n");
        Write("sys/fs/cgroup/a/b/memory.stat", $"anon {100 * MiB}\ninactive_file {50 * MiB}\n");
        Assert.Equal(new MachineMemory(400 * MiB, 300 * MiB), MachineMemory.Of(_root));
    }

    [Fact]
    public void The_smallest_limit_of_a_group_and_those_above_it_counts()
    {
        Write("proc/self/cgroup", "0::/a/b\n");
        Write("sys/fs/cgroup/a/b/memory.max", "max\n");
        Write("sys/fs/cgroup/a/memory.max", $"{300 * MiB}\n");
        Write("sys/fs/cgroup/a/memory.current", $"{290 * MiB}\n");
        Write("sys/fs/cgroup/memory.max", $"{900 * MiB}\n");
        Assert.Equal(new MachineMemory(300 * MiB, 10 * MiB), MachineMemory.Of(_root));
    }

    [Fact]
    public void Groups_of_version_1_count_also_where_the_container_does_not_see_its_path()
    {
        Write("proc/self/cgroup", "5:cpu,cpuacct:/docker/c0\n4:memory:/docker/c0\n0::/\n");
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", $"{200 * MiB}\n");
        Write("sys/fs/cgroup/memory/memory.usage_in_bytes", $"{250 * MiB}\n");
        Write("sys/fs/cgroup/memory/memory.stat", $"total_inactive_file {20 * MiB}\n");
        Assert.Equal(new MachineMemory(200 * MiB, 0), MachineMemory.Of(_root));
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        Assert.Equal(new MachineMemory(1024 * MiB, 512 * MiB), MachineMemory.Of(_root));
    }

    [Fact]
    public void Where_nothing_can_be_read_the_runtime_is_asked()
    {
        var memory = MachineMemory.Of(Path.Combine(_root, "none"));
        Assert.Equal(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, memory.TotalBytes);
        Assert.InRange(memory.FreeBytes, 0, memory.TotalBytes);
    }

    public void Dispose() => Directory.Delete(_root, true);

    private void Write(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_root, file))!);
        File.WriteAllText(Path.Combine(_root, file), text);
    }
}
