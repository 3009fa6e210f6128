using System.Globalization;
using Elastic.Messages.Runs;

namespace Elastic.Cluster.Tests;

public sealed class FullDiskScenarios : ClusterScenario
{
    [Fact]
    public async Task A_worker_whose_disk_is_full_says_so_and_its_work_moves()
    {
        var (seed, _) = await Cluster.StartAsync(workers: 2, Launch.Slow);

        // A file system of its own and of a known size. Only the process sees it, so that nobody needs to be root.
        var folder = Path.Combine(Cluster.Files.Root, "small");
        Directory.CreateDirectory(folder);
        var small = Cluster.Worker("small", launch: Launch.Slow with
        {
            Wrapper = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", $"mount -t tmpfs -o size=64m none {folder} && exec \"$0\" \"$@\""],
        });
        await Cluster.StartAsync(small);
        var itsFolder = $"/proc/{small.Process.Id.ToString(CultureInfo.InvariantCulture)}/root{folder}";
        await Cluster.UntilAsync("it had finished something", async () =>
            (await Cluster.JournalAsync(seed)).OfType<RunEvent.ReplicaComputed>().Any(e => e.Node.Value == small.Endpoint));
        Assert.Throws<IOException>(() => Fill(Path.Combine(itsFolder, "filler")));

        await Cluster.UntilAsync("it said so", () => small.Said.Contains("the disk is full", StringComparison.Ordinal));
        Assert.NotEqual("finished", Cluster.Phase);
        await Cluster.SameAsUndisturbedAsync(seed);
    }

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var page = new byte[4096]; ;)
            file.Write(page);
    }
}
