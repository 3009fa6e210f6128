using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

/// <summary>The address of a seed: who may listen there, under which names it is found, and what is said where it is not.</summary>
public sealed class SeedAddressSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("127.0.0.1", "localhost")]
    [InlineData("127.0.0.1", "LocalHost")]
    public async Task A_worker_finds_a_seed_under_another_name_of_its_address(string host, string asked)
    {
        await using var seed = await StartAsync("seed", NodeDuty.Seed(), host: host);
        await using var worker = await StartAsync("worker", NodeDuty.Worker(new Endpoint(asked, seed.Endpoint.Port))).WaitAsync(Deadline);
        Assert.Equal(2, (await seed.Control.ClusterAsync(default)).Members.Length);
    }

    // Akka has the name in small letters, and a node is let in only where its two planes are on one host.
    [Fact]
    public async Task A_seed_whose_host_is_typed_with_capital_letters_is_let_in_as_a_node()
    {
        await using var seed = await StartAsync("seed", NodeDuty.Seed(), host: "LocalHost");
        using var deadline = new CancellationTokenSource(Deadline);
        NodeView[] nodes;
        while ((nodes = await seed.Control.NodesAsync(deadline.Token)).Length == 0)
            await Task.Delay(20, deadline.Token);
        Assert.Equal($"localhost:{seed.Endpoint.Port}", Assert.Single(nodes).Address);
    }

    [Fact]
    public async Task A_second_process_on_the_control_port_of_another_one_does_not_start()
    {
        await using var first = await StartAsync("first", NodeDuty.Seed());
        var refused = await Assert.ThrowsAsync<ElasticException>(() => StartAsync("second", NodeDuty.Seed(), first.Endpoint.Port));
        Assert.StartsWith($"the control plane cannot listen on {first.Endpoint} (", refused.Message);
    }

    [Fact]
    public async Task What_listens_at_a_seed_s_address_instead_of_it_is_said_with_what_to_do()
    {
        await using var seed = await StartAsync("seed", NodeDuty.Seed());
        Assert.StartsWith("a data plane listens there: --seed takes the control port", await WhyAsync(seed.HttpEndpoint));
        Assert.Contains($"the seed has another name than localhost:{seed.Endpoint.Port}",
            await WhyAsync(new Endpoint("localhost", seed.Endpoint.Port), TimeSpan.FromSeconds(4)));      // which passes: it says nothing
        Assert.StartsWith("the name no-such-host.invalid has no address here", await WhyAsync(new Endpoint("no-such-host.invalid", 4053)));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        Assert.StartsWith("nothing listens there (", await WhyAsync(new Endpoint("127.0.0.1", port)));
    }

    [Fact]
    public async Task A_seed_with_certificates_is_said_to_want_one_with_how_to_get_it()
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        using var credentials = Credentials.OfNode(authority.Issue("seed", Role.Seed), TimeProvider.System);
        var transport = TlsTransport.BetweenNodes(credentials);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var ended = new CancellationTokenSource(Deadline);
        var serving = ServeAsync();
        Assert.StartsWith("that seed wants a certificate, and this process has none: give it the file of a join token with --token-file",
            await WhyAsync(new Endpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port)));
        await ended.CancelAsync();
        await serving;

        // Two clients: one that says what no handshake begins with, and one that only looks.
        async Task ServeAsync()
        {
            for (var clients = 0; clients < 2; clients++)
            {
                try
                {
                    using var client = await listener.AcceptTcpClientAsync(ended.Token);
                    await using var stream = await transport.AcceptAsync(client.GetStream(), ended.Token);
                }
                catch (Exception e) when (e is IOException or OperationCanceledException)
                {
                    // Neither comes to the end of a handshake.
                }
            }
        }
    }

    [Fact]
    public async Task A_seed_of_another_cluster_and_a_port_without_tls_are_not_taken_for_one_where_nothing_listens()
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        using var stranger = new TestAuthority(Path.Combine(Folder, "stranger"));
        using var worker = Credentials.OfNode(authority.Issue("worker", Role.Worker), TimeProvider.System);
        using var foreign = Credentials.OfNode(stranger.Issue("seed", Role.Seed), TimeProvider.System);
        using var late = Credentials.OfNode(authority.Issue("late", Role.Seed, DateTimeOffset.UtcNow.AddDays(-3), TimeSpan.FromDays(1)),
            new Behind(TimeSpan.FromDays(2.5)));
        var own = TlsTransport.BetweenNodes(worker);
        Assert.Contains("has not issued: it is of another cluster (name its certificates with --certs, or correct --seed)",
            await WhyThereAsync(own, TlsTransport.BetweenNodes(foreign), Deadline));
        Assert.Contains("has shown the certificate of seed late, which expired on ",
            await WhyThereAsync(own, TlsTransport.BetweenNodes(late), Deadline));
        // A plain control plane says nothing to a handshake that it does not understand.
        Assert.StartsWith("something listens there that says nothing in TLS: --seed takes the control port",
            await WhyThereAsync(own, null, TimeSpan.FromSeconds(1)));
        await using var seed = await StartAsync("seed", NodeDuty.Seed());
        var plain = await SeedDiagnosis.OfAsync(seed.HttpEndpoint, own, Deadline, CancellationToken.None);
        Assert.Contains("it speaks no TLS, or does not take this process's certificate: --seed takes the control port", plain);
    }

    // The first guess for a worker that names a port of its seed which is not for nodes: pbm's, or the dashboard's.
    [Fact]
    public async Task Where_a_certificate_is_refused_the_port_is_told_first_and_then_what_a_revoked_one_needs()
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        using var worker = Credentials.OfNode(authority.Issue("worker", Role.Worker), TimeProvider.System);
        using var seed = Credentials.OfNode(authority.Issue("seed", Role.Seed), TimeProvider.System);
        var why = await WhyThereAsync(TlsTransport.BetweenNodes(worker), TlsTransport.ForPbm(seed), Deadline);
        Assert.StartsWith("something listens there and does not let this process in: it is another port than a control port (--seed takes",
            why);
        Assert.Contains(
            "one that was revoked, which the seed's output says (delete node.pem and node.key, and start with a new token", why,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_that_is_given_a_data_plane_as_its_seed_says_so()
    {
        await using var seed = await StartAsync("seed", NodeDuty.Seed());
        var said = new BlockingCollection<string>();
        using var given = new CancellationTokenSource();
        var starting = StartAsync("worker", NodeDuty.Worker(seed.HttpEndpoint), say: said.Add, cancel: given.Token);
        // The first attempt, or on a busy machine a later one.
        using var deadline = new CancellationTokenSource(Deadline);
        for (var last = ""; !last.Contains("): a data plane listens there", StringComparison.Ordinal);)
        {
            last = said.Take(deadline.Token);
            if (last.StartsWith("no seed answers", StringComparison.Ordinal))
                Assert.StartsWith($"no seed answers at {seed.HttpEndpoint} (attempt ", last, StringComparison.Ordinal);
        }

        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
    }

    [Fact]
    public async Task A_name_without_an_address_stays_the_only_name()
    {
        var seed = new Endpoint("no-such-host.invalid", 4053);
        Assert.Equal([seed], await SeedNames.OfAsync(seed, default));
    }

    private sealed class Behind(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow - by;
    }

    // Asks a listener that accepts as "server" does; null: it reads and says nothing.
    private static async Task<string> WhyThereAsync(Transport client, Transport? server, TimeSpan knock)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var ended = new CancellationTokenSource(Deadline);
        var serving = ServeAsync();
        var why = await SeedDiagnosis.OfAsync(
            new Endpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port), client, knock, CancellationToken.None);
        await ended.CancelAsync();
        await serving;
        return why;

        async Task ServeAsync()
        {
            try
            {
                using var accepted = await listener.AcceptTcpClientAsync(ended.Token);
                if (server is null)
                    await accepted.GetStream().CopyToAsync(Stream.Null, ended.Token);
                else
                    await (await server.AcceptAsync(accepted.GetStream(), ended.Token)).DisposeAsync();
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The client hangs up, or is refused.
            }
        }
    }

    private static Task<string> WhyAsync(Endpoint seed, TimeSpan? knock = null) =>
        SeedDiagnosis.OfAsync(seed, Transport.Plain, knock ?? Deadline, CancellationToken.None);

    private Task<ElasticNode> StartAsync(
        string name, NodeDuty duty, int port = 0, string host = "127.0.0.1", Action<string>? say = null,
        CancellationToken cancel = default) =>
        ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, name), Host = host, Port = port },
            duty, say ?? (_ => { }), cancel);
}
