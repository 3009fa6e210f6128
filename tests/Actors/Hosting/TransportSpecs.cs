using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Configuration;
using Akka.Remote.Transport;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Actors.Remoting;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Testing;
using Transport = Elastic.Foundation.Transport;

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
        ScrambledTransport ofSeed = new(), ofWorker = new();
        await using var seed = await StartAsync("seed", host, NodeDuty.Seed(), ofSeed);
        await using var worker = await StartAsync("worker", host, NodeDuty.Worker(seed.Endpoint), ofWorker);

        // Each keeps a liveness connection to the seed; and the worker has the control plane, which it has opened, too.
        while (ofSeed.Accepted < 3 || ofWorker.Opened < 2)
            await Task.Delay(20, deadline.Token);
        Assert.All([seed, worker], node =>
            Assert.Equal((host, Endpoint.Parse(node.Endpoint.ToString())), (node.Endpoint.Host, node.Endpoint)));
        var nodes = await seed.Control.NodesAsync(deadline.Token);
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
        var self = new Endpoint("127.0.0.1", 1).ToAddress();
        var way = await new Contacts([], new SeedRegistry(database), scrambled.Transport).FindAsync(self, 0, deadline.Token);
        Assert.Equal([other.ToAddress()], way.Members);
        Assert.Equal(1, scrambled.Opened);

        // The certificate of who listens there now is another's, for one: nobody to wait for.
        var refusing = Transport.Plain with { AsClientAsync = (_, _, _) => throw new IOException("a stranger") };
        way = await new Contacts([], new SeedRegistry(database), refusing).FindAsync(self, 0, deadline.Token);
        Assert.Equal([self], way.Members);
    }

    [Fact]
    public async Task A_seed_and_a_worker_with_certificates_form_a_cluster_and_a_worker_without_gets_no_further_than_the_handshake()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var authority = new TestAuthority(Path.Combine(Folder, "cluster"));
        using var ofSeed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var ofWorker = Credentials.OfNode(authority.Issue("w1", Role.Worker), TimeProvider.System);
        var refused = new TaskCompletionSource<string>();
        ofSeed.Say = text => refused.TrySetResult(text);
        await using var seed = await StartAsync("seed", "127.0.0.1", NodeDuty.Seed(), TlsTransport.BetweenNodes(ofSeed));
        await using var worker = await StartAsync(
            "worker", "127.0.0.1", NodeDuty.Worker(seed.Endpoint), TlsTransport.BetweenNodes(ofWorker));
        while ((await seed.Control.NodesAsync(deadline.Token)).Length < 2)
            await Task.Delay(20, deadline.Token);
        Assert.StartsWith("mutual TLS as seed s1; the certificate expires on ", (await seed.Control.ClusterAsync(deadline.Token)).Security);

        using var given = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        var starting = StartAsync("stranger", "127.0.0.1", NodeDuty.Worker(seed.Endpoint), Transport.Plain, given.Token);
        Assert.StartsWith("refused a connection that showed no certificate of this cluster (from 127.0.0.1:",
            await refused.Task.WaitAsync(deadline.Token), StringComparison.Ordinal);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        Assert.Equal(2, (await seed.Control.NodesAsync(deadline.Token)).Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_two_nodes_send_each_other_can_be_read_on_the_wire_only_where_they_have_no_certificates(bool encrypted)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var authority = new TestAuthority(Path.Combine(Folder, "cluster"));
        using var ofSeed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var ofWorker = Credentials.OfNode(authority.Issue("worker-of-a-secret-place", Role.Worker), TimeProvider.System);
        RecordedTransport On(Credentials credentials) => new(encrypted ? TlsTransport.BetweenNodes(credentials) : Transport.Plain);
        var (seedSide, workerSide) = (On(ofSeed), On(ofWorker));
        await using var seed = await StartAsync("seed", "127.0.0.1", NodeDuty.Seed(), seedSide.Transport);
        await using var worker = await StartAsync(
            "worker", "127.0.0.1", NodeDuty.Worker(seed.Endpoint), workerSide.Transport);
        while ((await seed.Control.NodesAsync(deadline.Token)).Length < 2)
            await Task.Delay(20, deadline.Token);

        var id = (await seed.Control.NodesAsync(deadline.Token)).Single(n => n.Address == worker.Endpoint.ToString()).Node.Value;
        byte[] sent = [.. seedSide.Sent, .. workerSide.Sent];
        string[] words = [id, "Elastic.Messages", "akka.tcp://elastic", "POST /liveness"];
        Assert.All(words, word => Assert.Equal(!encrypted, sent.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(word)) >= 0));
    }

    [Fact]
    public async Task Without_certificates_only_loopback_addresses_are_bound_unless_a_person_says_that_the_network_is_safe()
    {
        var open = NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, "open"), Host = "192.0.2.1" };
        var why = (await Assert.ThrowsAsync<ElasticException>(() => ElasticNode.StartAsync(open, NodeDuty.Seed(), _ => { }))).Message;
        Assert.StartsWith("node.host = 192.0.2.1 is reached by other machines, and this node has no certificates: ", why);
        Assert.Contains("--insecure", why);
        Assert.StartsWith("INSECURE: ", await NodeSecurity.DescribeAsync(
            open with { Security = NodeSettings.Insecure }, Transport.Plain, default));
        foreach (var host in new[] { "127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost" })
            Assert.Equal(
                "no certificates: this node binds the loopback only",
                await NodeSecurity.DescribeAsync(open with { Host = host }, Transport.Plain, default));
    }

    [Fact]
    public async Task Connections_beyond_the_most_that_are_allowed_are_closed_and_said_once()
    {
        const int most = 4096;
        using var deadline = new CancellationTokenSource(Deadline);
        using var system = ActorSystem.Create("full",
            ConfigurationFactory.ParseString("akka.loglevel = WARNING").WithFallback(AkkaSettings.ForDevices(new DataPaths(Folder))));
        var transport = new StreamTransport(system, ConfigurationFactory.ParseString(
            "hostname = 127.0.0.1, port = 0, listens = on, connection-timeout = 60 s"));
        var (address, _) = await transport.Listen();
        var open = new List<Socket>();
        for (var i = 0; i < most + 20; i++)
        {
            open.Add(new Socket(SocketType.Stream, ProtocolType.Tcp));
            await open[^1].ConnectAsync(IPAddress.Loopback, address.Port!.Value, deadline.Token);
        }

        foreach (var refused in open[most..])
            Assert.Equal(0, await refused.ReceiveAsync(new byte[1], deadline.Token));
        Assert.All(open[..most], o => Assert.False(o.Poll(0, SelectMode.SelectRead)));
        await transport.Shutdown();
        open.ForEach(o => o.Dispose());
        await system.Terminate();
        Assert.EndsWith(
            "refused a connection: 4096 are open, and no more are allowed",
            Assert.Single(await File.ReadAllLinesAsync(Path.Combine(Folder, "log.txt"), deadline.Token)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_is_opened_while_the_transport_ends_is_closed()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        TaskCompletionSource begun = new(), goOn = new();
        var slow = Transport.Plain with
        {
            AsClientAsync = async (stream, _, _) =>
            {
                begun.SetResult();
                await goOn.Task;                                           // a handshake that looks at no cancellation
                return stream;
            },
        };
        using var system = ActorSystem.Create("ends", BootstrapSetup.Create().And(new TransportSetup(slow)));
        var transport = new StreamTransport(system, ConfigurationFactory.ParseString(
            "hostname = 127.0.0.1, port = 0, listens = on, connection-timeout = 60 s"));
        await transport.Listen();
        var opening = transport.Associate(new Endpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port).ToAddress());
        using var other = await listener.AcceptSocketAsync(deadline.Token);
        await begun.Task.WaitAsync(deadline.Token);
        Assert.True(await transport.Shutdown());
        goOn.SetResult();
        await Assert.ThrowsAsync<InvalidAssociationException>(() => opening.WaitAsync(deadline.Token));
        Assert.Equal(0, await other.ReceiveAsync(new byte[1], deadline.Token));                     // its end
        await system.Terminate();
    }

    [Fact]
    public void An_address_of_the_cluster_is_an_endpoint()
    {
        Assert.Equal("akka.tcp://elastic@[::1]:4053", new Endpoint("::1", 4053).ToAddress().ToString());
        Assert.Equal(new Endpoint("::1", 4053), Address.Parse("akka.tcp://elastic@[::1]:4053").ToEndpoint());
    }

    private Task<ElasticNode> StartAsync(string name, string host, NodeDuty duty, ScrambledTransport transport) =>
        StartAsync(name, host, duty, transport.Transport);

    private Task<ElasticNode> StartAsync(
        string name, string host, NodeDuty duty, Transport transport, CancellationToken cancel = default) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, name), Host = host },
        duty, _ => { }, NodeFaults.None, transport, cancel);
}
