using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

/// <summary>A process has one transport, and everything in it that has a socket asks that one.</summary>
public sealed class TransportSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task A_seed_and_a_worker_meet_through_their_transports_and_speak_of_each_other_by_endpoints(string host)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var control = ControlPlane.Plain with { Settings = "send-buffer-size = 300000b" };
        ScrambledTransport ofSeed = new(control), ofWorker = new(control);
        await using var seed = await StartAsync("seed", host, NodeDuty.Seed(), ofSeed);
        await using var worker = await StartAsync("worker", host, NodeDuty.Worker(seed.Endpoint), ofWorker);
        Assert.Equal(300_000, seed.System.Settings.Config.GetByteSize("akka.remote.dot-netty.tcp.send-buffer-size"));

        // Each keeps a liveness connection to the seed, which is the only data plane that accepts some.
        while (ofSeed.Accepted < 2 || ofWorker.Opened < 1)
            await Task.Delay(20, deadline.Token);
        Assert.Equal(0, ofWorker.Accepted);
        Assert.All([seed, worker], node =>
            Assert.Equal((host, Endpoint.Parse(node.Endpoint.ToString())), (node.Endpoint.Host, node.Endpoint)));
        var nodes = await seed.Control.Nodes(deadline.Token);
        Assert.Equal(
            [seed.Endpoint.ToString(), worker.Endpoint.ToString()],
            nodes.Select(n => n.Address).OrderBy(n => n == worker.Endpoint.ToString()));
        Assert.Contains(nodes, n => n.Endpoint == worker.HttpEndpoint.ToString());
    }

    [Fact]
    public async Task A_seed_knocks_where_another_one_was_not_long_ago_through_its_transport()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var other = new Endpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        var database = DatabaseAddress.Parse($"sqlite:{Path.Combine(Folder, "journal.db")}", Folder);
        await database.PrepareAsync(_ => { }, deadline.Token);
        await database.CallAsync(Deadline, (connection, cancel) => connection.ExecuteAsync(
            $"INSERT INTO elastic_seeds (address, seen) VALUES (@address, {database.Now()} - 20000)",
            cancel, ("address", other.ToString())), deadline.Token);

        var scrambled = new ScrambledTransport();
        var self = new Endpoint("127.0.0.1", 1).ToAddress(scrambled.Transport);
        var way = await new Contacts([], new SeedRegistry(database), scrambled.Transport).FindAsync(self, 0, deadline.Token);
        Assert.Equal([other.ToAddress(scrambled.Transport)], way.Members);
        Assert.Equal(1, scrambled.Opened);

        // The certificate of who listens there now is another's, for one: nobody to wait for.
        var refusing = Transport.Plain with { AsClientAsync = (_, _, _) => throw new IOException("a stranger") };
        way = await new Contacts([], new SeedRegistry(database), refusing).FindAsync(self, 0, deadline.Token);
        Assert.Equal([self], way.Members);
    }

    [Fact]
    public void An_address_of_the_cluster_begins_as_the_transport_says()
    {
        var encrypted = Transport.Plain with { ControlPlane = new ControlPlane("akka.ssl.tcp", "enable-ssl = true") };
        Assert.Equal("akka.ssl.tcp://elastic@[::1]:4053", new Endpoint("::1", 4053).ToAddress(encrypted).ToString());
        Assert.Equal(new Endpoint("::1", 4053), Address.Parse("akka.tcp://elastic@[::1]:4053").ToEndpoint());
    }

    private Task<ElasticNode> StartAsync(string name, string host, NodeDuty duty, ScrambledTransport transport) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, name), Host = host },
        duty, _ => { }, NodeFaults.None, transport.Transport, CancellationToken.None);
}
