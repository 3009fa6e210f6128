using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Akka.Cluster;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Membership;

public sealed class DowningSpecs(ITestOutputHelper output)
{
    [Fact]
    public async Task After_a_death_the_others_go_on_though_a_worker_is_the_leader_and_the_singleton_moves()
    {
        await using var cluster = new LoopbackCluster();
        var first = await cluster.StartAsync("127.0.0.2", "seed", null);
        var second = await cluster.StartAsync("127.0.0.3", "seed", first);
        var third = await cluster.StartAsync("127.0.0.4", "seed", first);
        var worker = await cluster.StartAsync("127.0.0.1", "worker", first);
        var doomed = await cluster.StartAsync("127.0.0.5", "worker", first);
        await LoopbackCluster.UntilMembersAsync(worker, first, second, third, worker, doomed);
        await cluster.UntilHomeAsync(first);

        var watch = Stopwatch.StartNew();
        await LoopbackCluster.KillAsync(doomed);
        foreach (var other in (Cluster[])[first, second, third, worker])
            await LoopbackCluster.UntilMembersAsync(other, first, second, third, worker);
        Say("a worker is killed: all others have removed it", watch);

        watch.Restart();
        await LoopbackCluster.KillAsync(first);
        await cluster.UntilHomeAsync(second);
        Say("the seed with the singleton is killed (of three): the singleton runs at another", watch);
        foreach (var other in (Cluster[])[second, third, worker])
            await LoopbackCluster.UntilMembersAsync(other, second, third, worker);

        watch.Restart();
        await LoopbackCluster.KillAsync(second);
        await cluster.UntilHomeAsync(third);
        Say("the next seed is killed right after (of two, the lower address): the singleton runs at the last", watch);
        await LoopbackCluster.UntilMembersAsync(worker, third, worker);
        Assert.Equal([first.SelfAddress, second.SelfAddress, third.SelfAddress], cluster.Moves);
    }

    // With a failure detector that misses nobody, so that only the port can tell.
    [Fact]
    public async Task A_seed_whose_port_refuses_is_removed_and_replaced_though_nobody_has_missed_it_yet()
    {
        const string patient = "akka.cluster.failure-detector.acceptable-heartbeat-pause = 1 hour";
        await using var cluster = new LoopbackCluster();
        var first = await cluster.StartAsync("127.0.0.2", "seed", null, settings: patient);
        var second = await cluster.StartAsync("127.0.0.3", "seed", first, settings: patient);
        var worker = await cluster.StartAsync("127.0.0.1", "worker", first, settings: patient);
        await LoopbackCluster.UntilMembersAsync(second, first, second, worker);
        await cluster.UntilHomeAsync(first);

        var watch = Stopwatch.StartNew();
        await LoopbackCluster.KillAsync(first);
        await cluster.UntilHomeAsync(second);
        Say("the seed with the singleton is killed (of two): the singleton runs at the other", watch);
        await LoopbackCluster.UntilMembersAsync(worker, second, worker);
    }

    // Akka quarantines without a word an address to which it is just connecting: here it waits for the answer to its handshake.
    [Fact]
    public async Task So_is_one_to_which_Akka_is_just_connecting_anew()
    {
        const string patient = "akka.cluster.failure-detector.acceptable-heartbeat-pause = 1 hour";
        using var deadline = new CancellationTokenSource();
        await using var cluster = new LoopbackCluster();
        var first = await cluster.StartAsync("127.0.0.2", "seed", null, settings: patient);
        var second = await cluster.StartAsync("127.0.0.3", "seed", first, settings: patient);
        await LoopbackCluster.UntilMembersAsync(second, first, second);
        await cluster.UntilHomeAsync(first);

        await LoopbackCluster.KillAsync(first);
        // It does so within two seconds, mostly; a process that is busy with other specs may have been quarantined before.
        deadline.CancelAfter(TimeSpan.FromSeconds(10));
        using var akkas = await AcceptAkkaAsync(
            new IPEndPoint(IPAddress.Parse("127.0.0.2"), first.SelfAddress.Port!.Value), deadline.Token);
        await cluster.UntilHomeAsync(second);
    }

    [Fact]
    public async Task Seeds_try_each_other_s_ports_through_the_transport_of_their_processes()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var scrambled = new ScrambledTransport();
        await using var cluster = new LoopbackCluster { Transport = scrambled.Transport };
        var first = await cluster.StartAsync("127.0.0.2", "seed", null);
        await cluster.StartAsync("127.0.0.3", "seed", first);
        // One or two are Akka's, which stay open.
        while (scrambled.Opened < 6)
            await Task.Delay(20, deadline.Token);
    }

    [Fact]
    public async Task When_the_network_splits_the_larger_part_of_the_seeds_goes_on_and_the_other_side_ends()
    {
        // A second, by which the smaller part waits on a fast network, passes on a busy machine without the larger one having its turn.
        const string patient = "elastic.membership.minority-delay = 20 s";
        await using var cluster = new LoopbackCluster();
        var lone = await cluster.StartAsync("127.0.0.2", "seed", null, settings: patient);
        var second = await cluster.StartAsync("127.0.0.3", "seed", lone, settings: patient);
        var third = await cluster.StartAsync("127.0.0.4", "seed", lone, settings: patient);
        var workerThere = await cluster.StartAsync("127.0.0.1", "worker", lone, settings: patient);
        var workerHere = await cluster.StartAsync("127.0.0.5", "worker", lone, settings: patient);
        await LoopbackCluster.UntilMembersAsync(workerThere, lone, second, third, workerThere, workerHere);

        var watch = Stopwatch.StartNew();
        await LoopbackCluster.CutAsync([lone, workerThere], [second, third, workerHere]);
        await cluster.UntilHomeAsync(second);
        Say("the seed with the singleton is cut off, together with a worker: the singleton runs on the other side", watch);
        await LoopbackCluster.UntilEndedAsync(lone);
        Say("... and the seed that was cut off has ended its actor system", watch);
        await LoopbackCluster.UntilEndedAsync(workerThere);
        Say("... and the worker there, too", watch);
        foreach (var other in (Cluster[])[second, third, workerHere])
            await LoopbackCluster.UntilMembersAsync(other, second, third, workerHere);
        Assert.Equal([lone.SelfAddress, second.SelfAddress], cluster.Moves);
    }

    [Fact]
    public async Task A_seed_that_loses_only_its_line_to_another_seed_leaves_the_common_worker_alone()
    {
        await using var cluster = new LoopbackCluster();
        var first = await cluster.StartAsync("127.0.0.2", "seed", null);
        var second = await cluster.StartAsync("127.0.0.3", "seed", first);
        var worker = await cluster.StartAsync("127.0.0.1", "worker", first);
        await LoopbackCluster.UntilMembersAsync(worker, first, second, worker);
        await LoopbackCluster.CutAsync([first], [second]);
        // The first by address as a rule: the other one decides some seconds later. But a busy machine may give it its turn before.
        var ended = await LoopbackCluster.UntilOneEndedAsync(first, second);
        var left = ended == first ? second : first;
        await LoopbackCluster.UntilMembersAsync(worker, left, worker);
        await LoopbackCluster.UntilMembersAsync(left, left, worker);
    }

    [Theory]
    [InlineData("127.0.0.2")]                               // at the same address, where the worker's heartbeats go on being answered
    [InlineData("127.0.0.3")]
    public async Task When_the_only_seed_is_replaced_its_worker_ends_and_the_new_seed_has_the_singleton(string host)
    {
        await using var cluster = new LoopbackCluster();
        var only = await cluster.StartAsync("127.0.0.2", "seed", null);
        var worker = await cluster.StartAsync("127.0.0.1", "worker", only);
        await LoopbackCluster.UntilMembersAsync(worker, only, worker);
        await cluster.UntilHomeAsync(only);

        var watch = Stopwatch.StartNew();
        await LoopbackCluster.KillAsync(only);
        var next = await cluster.StartAsync(host, "seed", null, host == "127.0.0.2" ? only.SelfAddress.Port : null);
        await cluster.UntilHomeAsync(next);
        Say($"the only seed is killed and one at {host} started: the singleton runs", watch);
        await LoopbackCluster.UntilEndedAsync(worker);
        Say("... and the worker has ended its actor system", watch);
        var again = await cluster.StartAsync("127.0.0.1", "worker", next, worker.SelfAddress.Port);
        await LoopbackCluster.UntilMembersAsync(next, next, again);
        Say("... and has joined the new seed", watch);
    }

    [Fact]
    public async Task A_seed_that_joins_through_a_worker_after_the_only_seed_died_takes_over_the_cluster()
    {
        await using var cluster = new LoopbackCluster();
        var only = await cluster.StartAsync("127.0.0.2", "seed", null);
        var worker = await cluster.StartAsync("127.0.0.1", "worker", only);
        await LoopbackCluster.UntilMembersAsync(worker, only, worker);
        await LoopbackCluster.KillAsync(only);
        var next = await cluster.StartAsync("127.0.0.3", "seed", worker);
        await LoopbackCluster.UntilMembersAsync(worker, next, worker);
        await cluster.UntilHomeAsync(next);
    }

    // A connection on which something was said, or null. Whoever only looks whether anybody listens says nothing.
    private static async Task<Socket?> AcceptAkkaAsync(IPEndPoint at, CancellationToken cancel)
    {
        using var listener = new TcpListener(at);
        listener.Start();
        try
        {
            while (true)
            {
                var connection = await listener.AcceptSocketAsync(cancel);
                if (await connection.ReceiveAsync(new byte[1], cancel) > 0)
                    return connection;
                connection.Dispose();
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private void Say(string what, Stopwatch watch) => output.WriteLine($"{watch.Elapsed.TotalSeconds:0.0} s: {what}");
}
