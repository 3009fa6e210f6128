using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class LivenessConnectionTests : TemporaryFolder, IAsyncLifetime
{
    // Those that a test opens by hand beat once: they are not to be given up before the test has gone on, on a busy machine, too.
    private readonly LivenessConnections _connections = new(TimeSpan.FromMinutes(1));
    private readonly ConcurrentQueue<string> _events = [];
    private DataServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServeAsync(_connections);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Dispose();
    }

    [Fact]
    public async Task Without_a_listener_a_liveness_connection_is_refused()
    {
        using var socket = await OpenAsync("n", "i");
        Assert.StartsWith("HTTP/1.1 503", await AnswerAsync(socket), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "i")]
    [InlineData("n", "")]
    public async Task A_liveness_connection_without_a_name_is_refused(string node, string incarnation)
    {
        using var _ = Listen();
        using var socket = await OpenAsync(node, incarnation);
        Assert.StartsWith("HTTP/1.1 400", await AnswerAsync(socket), StringComparison.Ordinal);
        Assert.Empty(_events);
    }

    [Fact]
    public void There_is_one_listener_at_a_time()
    {
        using (Listen())
            Assert.Throws<InvalidOperationException>(() => Listen());
        Listen().Dispose();
    }

    [Fact]
    public async Task A_node_that_ends_its_liveness_connection_is_reported_with_that_reason()
    {
        using var _ = Listen();
        await using (var liveness = new LivenessConnection(new NodeId("host:1"), "a:b-c", Transport.Plain))
        {
            liveness.PointTo(_server.Endpoint);
            await EventsAsync("+host:1/a:b-c");
        }

        await EventsAsync("+host:1/a:b-c", "-host:1/a:b-c: the node ended it");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_closes_or_is_reset_is_reported(bool reset)
    {
        using var _ = Listen();
        var socket = await OpenAsync("n", "i");
        await EventsAsync("+n/i");
        if (reset)
            socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
        await EventuallyAsync(() => _events.Count == 2, "the break is reported");
        Assert.StartsWith("-n/i: the connection ", _events.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_stands_still_is_reported()
    {
        var impatient = new LivenessConnections();
        await using var server = await ServeAsync(impatient);
        using var _ = Listen(impatient);
        using var socket = await OpenAsync("n", "i", server);
        await EventsAsync("+n/i", "-n/i: no beat for 2 s");
    }

    [Fact]
    public async Task A_liveness_connection_that_replaces_another_of_the_same_incarnation_is_no_news()
    {
        using var _ = Listen();
        using var old = await OpenAsync("n", "i");
        await EventsAsync("+n/i");
        var newer = await OpenAsync("n", "i");
        Assert.Equal("", await AnswerAsync(old));       // It was ended in favour of the newer one.
        Assert.Equal(["+n/i"], _events);
        newer.Dispose();
        await EventuallyAsync(() => _events.Count == 2, "the break of the newer one is reported");
        using var again = await OpenAsync("n", "i");
        await EventuallyAsync(() => _events.Count == 3, "it can come back");
        Assert.Equal("+n/i", _events.Last());
    }

    [Fact]
    public async Task Another_incarnation_is_another_liveness_connection()
    {
        using var _ = Listen();
        using var first = await OpenAsync("n", "1");
        await EventsAsync("+n/1");
        using var second = await OpenAsync("n", "2");
        await EventsAsync("+n/1", "+n/2");
        first.Dispose();
        await EventuallyAsync(() => _events.Count == 3, "the break is reported");
        Assert.StartsWith("-n/1", _events.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_the_listener_leaves_its_liveness_connections_end_unreported_and_come_back_for_the_next_one()
    {
        await using var liveness = new LivenessConnection(new NodeId("n"), "i", Transport.Plain);
        liveness.PointTo(_server.Endpoint);
        using (Listen())
            await EventsAsync("+n/i");
        using (Listen())
            await EventsAsync("+n/i", "+n/i");
    }

    [Fact]
    public async Task A_liveness_connection_follows_to_where_it_points()
    {
        var elsewhere = new LivenessConnections();
        await using var other = await ServeAsync(elsewhere);
        using var here = Listen();
        using var there = elsewhere.Listen((_, _) => _events.Enqueue("+there"), (_, _, _) => _events.Enqueue("-there"));
        await using var liveness = new LivenessConnection(new NodeId("n"), "i", Transport.Plain);

        liveness.PointTo(new Endpoint("127.0.0.1", 1));        // nobody listens there
        liveness.PointTo(_server.Endpoint);
        await EventsAsync("+n/i");
        liveness.PointTo(null);
        await EventsAsync("+n/i", "-n/i: the node ended it");
        liveness.PointTo(other.Endpoint);
        await EventsAsync("+n/i", "-n/i: the node ended it", "+there");
    }

    // A process that is stopped: its kernel accepts the connection, and nobody answers the handshake.
    [Fact]
    public async Task A_seed_that_says_nothing_in_the_handshake_keeps_neither_from_the_next_seed_nor_from_ending()
    {
        using var authority = new TestAuthority(Folder);
        using Credentials worker = Issue("worker", Role.Worker), seed = Issue("seed", Role.Seed);
        await using var server = await DataServer.StartAsync(
            "127.0.0.1", 0, new BlobLocations(), _connections, TlsTransport.BetweenNodes(seed), Deadline);
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var nowhere = new Endpoint("127.0.0.1", ((IPEndPoint)silent.LocalEndpoint).Port);
        using var _ = Listen();

        await using (var liveness = Liveness(TimeSpan.FromMilliseconds(300)))
        {
            liveness.PointTo(nowhere);
            using var held = await silent.AcceptSocketAsync(Deadline);
            liveness.PointTo(server.Endpoint);
            await EventsAsync("+n/i");
        }

        var patient = Liveness(TimeSpan.FromHours(1));
        patient.PointTo(nowhere);
        using var other = await silent.AcceptSocketAsync(Deadline);
        await patient.DisposeAsync().AsTask().WaitAsync(Deadline);

        Credentials Issue(string name, Role role) => Credentials.OfNode(authority.Issue(name, role), TimeProvider.System);

        LivenessConnection Liveness(TimeSpan handshake) =>
            new(new NodeId("n"), "i", TlsTransport.BetweenNodes(worker) with { Handshake = handshake });
    }

    [Fact]
    public async Task A_server_that_stops_reports_nothing()
    {
        using var _ = Listen();
        using var socket = await OpenAsync("n", "i");
        await EventsAsync("+n/i");
        await _server.DisposeAsync();
        Assert.Equal(["+n/i"], _events);
    }

    private static Task<DataServer> ServeAsync(LivenessConnections connections) =>
        DataServer.StartAsync("127.0.0.1", 0, new BlobLocations(), connections, Transport.Plain, Deadline);

    private IDisposable Listen(LivenessConnections? connections = null) => (connections ?? _connections).Listen(
        (node, incarnation) => _events.Enqueue($"+{node}/{incarnation}"),
        (node, incarnation, why) => _events.Enqueue($"-{node}/{incarnation}: {why}"));

    // A liveness connection by hand, which beats once.
    private async Task<Socket> OpenAsync(string node, string incarnation, DataServer? server = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var endpoint = (server ?? _server).Endpoint;
        await socket.ConnectAsync(endpoint.Host, endpoint.Port, Deadline);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /liveness?node={node}&incarnation={incarnation} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n1\r\n.\r\n"),
            Deadline);
        return socket;
    }

    private static async Task<string> AnswerAsync(Socket socket)
    {
        var buffer = new byte[1000];
        try
        {
            return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, Deadline));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return "";
        }
    }

    private async Task EventsAsync(params string[] expected)
    {
        await EventuallyAsync(() => _events.Count >= expected.Length, string.Join(", ", expected));
        Assert.Equal(expected, _events);
    }
}

/// <summary>Alone, because it starves the thread pool that the other tests use.</summary>
[CollectionDefinition("starves the thread pool", DisableParallelization = true)]
public sealed class StarvedPool;

[Collection("starves the thread pool")]
public sealed class StarvedLivenessConnectionTests
{
    [Fact]
    public async Task A_node_whose_thread_pool_is_starved_still_beats()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var release = new ManualResetEventSlim();               // not disposed of: what waits in the pool still looks at it
        var liveness = new LivenessConnection(new NodeId("n"), "i", Transport.Plain);      // disposed of when the pool breathes again
        try
        {
            for (var i = 0; i < 500; i++)
                ThreadPool.QueueUserWorkItem(_ => release.Wait());
            liveness.PointTo(new Endpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port));

            Assert.True(listener.Server.Poll(TimeSpan.FromSeconds(30), SelectMode.SelectRead), "the node connected");
            using var socket = listener.AcceptSocket();
            // The pool would come to what is queued after minutes; the machine may be busy for seconds.
            socket.ReceiveTimeout = 30_000;
            var received = new StringBuilder();
            var buffer = new byte[1000];
            while (received.ToString().Split("1\r\n.\r\n").Length <= 5)
                received.Append(Encoding.ASCII.GetString(buffer, 0, socket.Receive(buffer)));
            Assert.True(ThreadPool.PendingWorkItemCount > 0, "the pool was starved all the time");
        }
        finally
        {
            release.Set();
            await liveness.DisposeAsync();
        }
    }
}
