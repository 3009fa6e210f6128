using System.Net.Sockets;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class StageConnectionTests : TemporaryFolder, IAsyncLifetime
{
    private static readonly StageRoute Route = new("run-1.0.0.a8c1", 1, 0);
    private static readonly NodeId First = new("first"), Second = new("second");

    private readonly StageConnections _stages = new(Transport.Plain);
    private DataServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServeAsync(_stages, Transport.Plain);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Bytes_go_both_ways_whichever_stage_is_first(bool opensFirst)
    {
        var opening = opensFirst ? OpenAsync(Second) : null;
        if (opening is not null)
            await Task.WhenAny(opening, Task.Delay(50, Deadline));
        var accepting = _stages.AcceptAsync(Route, Second, Deadline);
        await using var there = await (opening ?? OpenAsync(Second));
        await using var here = await accepting;
        var bytes = Bytes(3 << 20);
        foreach (var (from, to) in new[] { (there, here), (here, there) })
        {
            var sending = from.Stream.WriteAsync(bytes, Deadline);
            var received = new byte[bytes.Length];
            await to.Stream.ReadExactlyAsync(received, Deadline);
            await sending;
            Assert.Equal(bytes, received);
        }
        await here.DisposeAsync();
        Assert.Equal(0, await there.Stream.ReadAsync(new byte[1], Deadline));
    }

    [Fact]
    public async Task A_stream_that_fails_at_its_end_keeps_no_request_open()
    {
        var closed = false;
        var connection = new StageConnection(new FailsAtItsEnd(), () => closed = true);
        await Assert.ThrowsAsync<IOException>(async () => await connection.DisposeAsync());
        Assert.True(closed);
    }

    private sealed class FailsAtItsEnd : MemoryStream
    {
        public override async ValueTask DisposeAsync()
        {
            await base.DisposeAsync();
            throw new IOException("reset by the peer");
        }
    }

    [Fact]
    public async Task The_end_of_a_node_ends_its_connection_at_once()
    {
        var accepting = _stages.AcceptAsync(Route, Second, Deadline);
        var there = await OpenAsync(Second);
        await using var here = await accepting;
        var reading = here.Stream.ReadAsync(new byte[1], Deadline).AsTask();
        await there.DisposeAsync();
        try
        {
            Assert.Equal(0, await reading);
        }
        catch (IOException)
        {
            // Likewise.
        }
    }

    [Fact]
    public async Task A_node_that_has_no_stage_of_the_attempt_is_refused_and_the_one_that_has_is_not()
    {
        var accepting = _stages.AcceptAsync(Route, Second, Deadline);
        Assert.Equal(
            "first, which has stage 0, refuses the connection: stranger has no stage 1 in this attempt: another node has it",
            (await Assert.ThrowsAsync<UnavailableException>(() => OpenAsync(new NodeId("stranger")))).Message);
        await using var there = await OpenAsync(Second);
        await using var here = await accepting;
    }

    [Fact]
    public async Task Neither_side_waits_for_ever()
    {
        var impatient = new StageConnections(Transport.Plain, TimeSpan.FromMilliseconds(50));
        await using var server = await ServeAsync(impatient, Transport.Plain);
        Assert.Equal(
            "second, which has stage 1, did not connect within 0.1 s",
            (await Assert.ThrowsAsync<UnavailableException>(() => impatient.AcceptAsync(Route, Second, Deadline))).Message);
        Assert.Equal(
            "first, which has stage 0, refuses the connection: no work here waits for stage 1 in this attempt",
            (await Assert.ThrowsAsync<UnavailableException>(
                () => impatient.OpenAsync(Route, Second, server.Endpoint, First, Deadline))).Message);
    }

    [Fact]
    public async Task Work_that_is_dropped_does_not_wait_for_its_neighbours()
    {
        using var drop = new CancellationTokenSource();
        var (accepting, opening) = (
            _stages.AcceptAsync(Route, Second, drop.Token),
            _stages.OpenAsync(Route with { From = 2 }, Second, _server.Endpoint, First, drop.Token));
        await drop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accepting);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_is_told_that_the_work_of_the_stage_that_it_waits_for_was_told_to_stop(bool isThereFirst)
    {
        var accepting = isThereFirst ? _stages.AcceptAsync(Route, Second, Deadline) : null;
        await _stages.TellEndedAsync(Route, new NodeId("stranger"), _server.Endpoint);
        Assert.False(accepting?.IsCompleted ?? false);
        var route = isThereFirst ? Route : Route with { From = 2 };
        await _stages.TellEndedAsync(route, Second, _server.Endpoint);
        Assert.Equal($"second, which has stage {route.From}, was told to stop before the two were connected",
            (await Assert.ThrowsAsync<UnavailableException>(() => accepting ?? _stages.AcceptAsync(route, Second, Deadline))).Message);
    }

    [Fact]
    public async Task The_neighbours_of_work_that_was_told_to_stop_do_not_wait_for_it_either()
    {
        using var stop = new CancellationTokenSource();
        var (opening, waiting) = (
            _stages.OpenAsync(Route, Second, _server.Endpoint, First, stop.Token),
            _stages.AcceptAsync(Route with { From = 2 }, Second, stop.Token));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal("first, which has stage 0, refuses the connection: no work here waits for stage 2 in this attempt",
            (await Assert.ThrowsAsync<UnavailableException>(
                () => _stages.OpenAsync(Route with { From = 2 }, Second, _server.Endpoint, First, Deadline))).Message);

        // The connection that ends may still be there when the other node asks for it; it breaks then, and what is said arrives soon.
        var told = "";
        while (told.Length == 0)
        {
            try
            {
                await using var broken = await _stages.AcceptAsync(Route, Second, Deadline);
            }
            catch (UnavailableException e)
            {
                told = e.Message;
            }
        }
        Assert.Equal("second, which has stage 1, was told to stop before the two were connected", told);
    }

    [Theory]
    [InlineData("attempt=a&node=n&from=0&to=1", "Upgrade: elastic-stages")]
    [InlineData("attempt=a&node=n&from=1&to=1", "Upgrade: elastic-stages")]
    [InlineData("attempt=a&node=n&from=9999&to=1", "Upgrade: elastic-stages")]
    [InlineData("attempt=a&node=../n&from=1&to=0", "Upgrade: elastic-stages")]
    [InlineData("attempt=&node=n&from=1&to=0", "Upgrade: elastic-stages")]
    [InlineData("attempt=a&node=n&from=1&to=0", "Upgrade: other")]
    public async Task A_request_that_is_none_is_refused(string query, string header)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /stages?{query} HTTP/1.1\r\nHost: {_server.Endpoint}\r\nConnection: Upgrade\r\n{header}\r\n\r\n"), Deadline);
        var answer = new byte[12];
        Assert.Equal(answer.Length, await socket.ReceiveAsync(answer, Deadline));
        Assert.Equal("HTTP/1.1 400", Encoding.ASCII.GetString(answer));
    }

    [Fact]
    public async Task With_certificates_a_node_is_who_its_certificate_says()
    {
        using var authority = new TestAuthority(Folder);
        using Credentials first = Issue("first"), second = Issue("second"), other = Issue("other");
        StageConnections Of(Credentials credentials) => new(TlsTransport.BetweenNodes(credentials));
        var stages = Of(first);
        await using var server = await ServeAsync(stages, TlsTransport.BetweenNodes(first));
        Task<StageConnection> OpenAsync(Credentials credentials, NodeId to) =>
            Of(credentials).OpenAsync(Route, Second, server.Endpoint, to, Deadline);

        Assert.Contains(
            "this is the certificate of other, and not of second", await RefusalAsync(OpenAsync(other, First)), StringComparison.Ordinal);
        Assert.Contains(
            "answers worker first, and not elsewhere", await RefusalAsync(OpenAsync(second, new NodeId("elsewhere"))),
            StringComparison.Ordinal);
        var accepting = stages.AcceptAsync(Route, Second, Deadline);
        await using var there = await OpenAsync(second, First);
        await using var here = await accepting;
        await there.Stream.WriteAsync(new byte[] { 7 }, Deadline);
        Assert.Equal(1, await here.Stream.ReadAsync(new byte[1], Deadline));

        Credentials Issue(string name) => Credentials.OfNode(authority.Issue(name, Role.Worker), TimeProvider.System);
    }

    private static async Task<string> RefusalAsync(Task<StageConnection> opening) =>
        (await Assert.ThrowsAsync<UnavailableException>(() => opening)).Message;

    private Task<StageConnection> OpenAsync(NodeId self) => _stages.OpenAsync(Route, self, _server.Endpoint, First, Deadline);

    private static Task<DataServer> ServeAsync(StageConnections stages, Transport transport) => DataServer.StartAsync(
        "127.0.0.1", 0, new BlobLocations(), new LivenessConnections(), transport, Deadline, stages);
}
