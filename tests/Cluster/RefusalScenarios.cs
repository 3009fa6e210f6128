using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>What cannot work is said, with what to do about it, and harms nothing.</summary>
public sealed class RefusalScenarios : ClusterScenario
{
    [Fact]
    public async Task A_worker_of_another_version_is_refused_and_one_with_other_arithmetic_computes_nothing_and_both_are_told_why()
    {
        var (seed, _) = await Cluster.StartAsync(Here.Elastic, [Here.Slow, Here.Slow]);
        var old = Cluster.Worker("old", launch: Here.Faulty("version"));
        var other = Cluster.Worker("other", launch: Here.Faulty("arithmetic"));
        old.Launch(mayEnd: true);
        await Cluster.StartAsync(other);

        Assert.Equal(1, await old.Newest.EndAsync());
        Assert.Contains("Elastic 0.0.9", old.Newest.Error, StringComparison.Ordinal);
        Assert.Contains(
            $"install {typeof(RunEvent).Assembly.GetName().Version!.ToString(3)} here", old.Newest.Error, StringComparison.Ordinal);
        await Cluster.UntilAsync("the other was told", () => other.Said.Contains("abacus 1", StringComparison.Ordinal));

        var events = await Cluster.SameAsUndisturbedAsync(seed);
        Assert.Empty(other.Begun);
        Assert.DoesNotContain(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == other.Id);
    }

    [Fact]
    public async Task A_worker_whose_seed_does_not_answer_says_so_and_joins_once_it_does()
    {
        var port = FreePort.Text();
        var worker = Cluster.Worker("worker", launch: Here.Elastic, more: ["--seed", $"127.0.0.1:{port}"]);
        worker.Launch();
        await Cluster.UntilAsync(
            "the worker complained", () => worker.Said.Contains($"no seed answers at 127.0.0.1:{port}", StringComparison.Ordinal));
        await Cluster.StartAsync(Cluster.Seed("seed", port, Here.Elastic));
        await Cluster.UntilAsync("the worker joined", worker.HasJoined);
    }

    [Theory]
    [InlineData("--port")]
    [InlineData("--http-port")]
    [InlineData("--pbm-port")]
    public async Task A_port_in_use_ends_a_seed_with_its_number_and_the_option_to_change_it(string option)
    {
        var (listener, port) = Listen();
        using var _ = listener;
        string[] ports = [.. new[] { "--port", "--http-port", "--pbm-port" }.SelectMany(o => new[] { o, o == option ? port : "0" })];
        using var seed = Here.Run(["seed", "--data-dir", Path.Combine(Cluster.Files.Root, "seed"), .. ports]);
        Assert.Equal(1, await seed.EndAsync());
        Assert.Contains(port, seed.Error, StringComparison.Ordinal);
        Assert.Contains(option, seed.Error, StringComparison.Ordinal);
    }

    private static (TcpListener Listener, string Port) Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return (listener, ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture));
    }
}
