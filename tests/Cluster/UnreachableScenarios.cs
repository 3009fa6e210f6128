using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

// Nodes that are alive and of no use, for the rest of the run: the others end it without a person.
public sealed class UnreachableScenarios : ClusterScenario
{
    private static readonly string[] Short = ["run.rounds=8"];

    [Fact]
    public async Task Workers_that_reach_the_seed_and_no_other_worker_are_served_by_way_of_the_seed()
    {
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        // The data planes of the workers: the control plane is whole.
        var refused = Path.Combine(Cluster.Files.Root, "refused");
        var wall = Here.Faulty("wall", ("ELASTIC_REFUSED", refused));
        ClusterNode[] behind = [Cluster.Worker("a", launch: wall), Cluster.Worker("b", launch: wall)];
        await Cluster.StartAsync(behind);
        await File.WriteAllLinesAsync(refused, behind.Select(n => n.HttpEndpoint));
        // Longer than a node rests that could fetch nothing at first: by chance the other one begins alone.
        string[] longer = ["run.rounds=16"];
        await Cluster.StartRunAsync(longer);

        var events = await Cluster.SameAsUndisturbedAsync(seed, longer);
        Assert.DoesNotContain(events, e => e is RunEvent.RolledBack or RunEvent.NodeQuarantined);
        var computed = events.OfType<RunEvent.ReplicaComputed>().Select(e => e.Node).ToHashSet();
        Assert.All(behind, n => Assert.Contains(n.Id, computed));
    }

    // One replica, whose first round hangs: nobody knows yet how long a round takes. The node that takes it over has a device that hangs in
    // the middle of a step, which the node finds out itself.
    [Fact]
    public async Task Devices_that_hang_for_good_between_two_steps_and_inside_of_one_hold_nobody_up()
    {
        string[] alone = ["run.rounds=8", "run.replicas=1"];
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        var hanging = Cluster.Worker("hanging", launch: Launch.Faulty("hang"));
        await Cluster.StartAsync(hanging);
        await Cluster.StartRunAsync(alone);
        await Cluster.UntilAsync("it had taken a step", () => hanging.Stepped.Count > 0);
        var other = Cluster.Worker("other", "cpu:2", Launch.Faulty("stuck"));
        await Cluster.StartAsync(other);
        await Cluster.UntilAsync("a device was dropped", () => other.Said.Contains("device cpu:1 is lost", StringComparison.Ordinal));
        // A person gives it back: it has another thread then.
        var (code, output, error) = await Cluster.PbmAsync("node", "devices", "-n", other.Endpoint, "-d", "cpu:2");
        Assert.True(code == 0, output + error);

        var events = await Cluster.SameAsUndisturbedAsync(seed, alone);
        Assert.DoesNotContain(events, e => e is RunEvent.ReplicaComputed x && x.Node == hanging.Id);
        Assert.Contains("makes no progress", hanging.Said, StringComparison.Ordinal);
        Assert.Matches(
            @"device cpu:1 is lost \(rank 1 of 2 \(cpu:1\) did not end its forward and backward pass within [\d.]+ s: it hangs\): its work "
            + "begins anew on the others", other.Said);
    }

    [Fact]
    public async Task Damaged_blobs_of_a_node_that_goes_on_cost_time_and_nothing_else()
    {
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        ClusterNode[] workers = [Cluster.Worker("a", launch: Here.Slow), Cluster.Worker("b", launch: Here.Slow)];
        await Cluster.StartAsync(workers);
        await Cluster.StartRunAsync(Short);
        await Cluster.RoundAsync(3);
        var damaged = 0;
        foreach (var blob in Directory.EnumerateFiles(workers[0].DataDir, "*", SearchOption.AllDirectories).Where(IsBlob))
            damaged += Damage(blob) ? 1 : 0;
        Assert.NotEqual(0, damaged);
        Assert.NotEqual("finished", Cluster.Phase);
        await Cluster.SameAsUndisturbedAsync(seed, Short);
    }

    // Blobs are named by their digests.
    private static bool IsBlob(string path) => Path.GetFileName(path) is { Length: 64 } name && name.All(char.IsAsciiHexDigitLower);

    private static bool Damage(string blob)
    {
        try
        {
            using var file = new FileStream(blob, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length == 0)
                return false;
            file.Position = file.Length / 2;
            var value = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(value ^ 1));
            return true;
        }
        catch (FileNotFoundException)
        {
            return false;                                              // collected meanwhile
        }
    }
}
