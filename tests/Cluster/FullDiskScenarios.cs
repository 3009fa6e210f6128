using System.Globalization;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class FullDiskScenarios : ClusterScenario
{
    [Fact]
    public async Task A_worker_whose_disk_is_full_says_so_and_its_work_moves()
    {
        var folder = Path.Combine(Cluster.Files.Root, "small");
        var small = SmallFileSystem.At(folder, Launch.Slow);
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        var worker = Cluster.Worker("small", launch: small);
        await Cluster.StartAsync(worker, Cluster.Worker("a", launch: Here.Slow), Cluster.Worker("b", launch: Here.Slow));
        await Cluster.StartRunAsync();
        var itsFolder = $"/proc/{worker.Process.Id.ToString(CultureInfo.InvariantCulture)}/root{folder}";
        var id = ClusterNode.IdIn(itsFolder);
        await Cluster.UntilAsync("it had finished something", async () =>
            (await Cluster.JournalAsync(seed)).OfType<RunEvent.ReplicaComputed>().Any(e => e.Node == id));
        Assert.Throws<IOException>(() => Fill(Path.Combine(itsFolder, "filler")));

        await Cluster.UntilAsync("it said so", () => worker.Said.Contains("the disk is full", StringComparison.Ordinal));
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
