using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The server against clients of every kind, each a bare socket that speaks the protocol, or does not.</summary>
public sealed partial class PbmServerTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _produced;
    private PbmServer _server = null!;

    private string LogFile => Path.Combine(_folder, "log.txt");

    private static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    public async ValueTask InitializeAsync() => _server = await StartAsync(PbmLimits.Default);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_port_in_use_is_named_with_the_option_that_chooses_another()
    {
        var refusal = await Assert.ThrowsAsync<ElasticException>(
            () => PbmServer.StartAsync("127.0.0.1", _server.Endpoint.Port, TestService.Of(_folder, []), Transport.Plain, Deadline));
        Assert.Contains($"port {_server.Endpoint.Port} of 127.0.0.1 is in use", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("--pbm-port", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_of_another_machine_cannot_be_listened_at()
    {
        var refusal = await Assert.ThrowsAsync<ElasticException>(
            () => PbmServer.StartAsync("192.0.2.1", 0, TestService.Of(_folder, []), Transport.Plain, Deadline));
        Assert.Contains("--host", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_protocol_gets_a_greeting_with_ours_and_nothing_else()
    {
        await using var client = await ConnectAsync(greet: false);
        await client.WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol + 1, "9.9.9"), Deadline);
        Assert.Equal(PbmMessage.Protocol, Assert.IsType<PbmMessage.Hello>(await client.ReadAsync(Deadline)).Speaks);
        Assert.Null(await client.ReadAsync(Deadline));
    }

    // By the first byte of the answer a worker knows that its --seed names pbm's port.
    [Fact]
    public async Task A_request_of_HTTP_is_answered_with_a_message_of_the_protocol()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
        await client.GetStream().WriteAsync("GET /health HTTP/1.0\r\n\r\n"u8.ToArray(), Deadline);
        var first = new byte[1];
        await client.GetStream().ReadExactlyAsync(first, Deadline);
        Assert.Equal((byte)'{', first[0]);
    }

    [Fact]
    public async Task Who_says_nothing_is_closed_after_the_handshake_s_deadline()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Handshake = TimeSpan.FromMilliseconds(20) });
        await using var client = await ConnectAsync(greet: false, server);
        Assert.Null(await client.ReadAsync(Deadline));
    }

    [Fact]
    public async Task Who_asks_nothing_is_closed_after_a_while()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Idle = TimeSpan.FromMilliseconds(20) });
        await using var client = await ConnectAsync(server: server);
        Assert.Null(await client.ReadAsync(Deadline));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("null\n")]
    [InlineData("{\"type\":\"cancel\"}\n")]
    [InlineData("{\"type\":\"end\",\"exitCode\":0,\"error\":\"\"}\n")]
    public async Task Garbage_is_refused_and_the_next_client_is_served(string garbage)
    {
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
            await socket.GetStream().WriteAsync(System.Text.Encoding.UTF8.GetBytes(garbage), Deadline);
            await using var stream = new PbmStream(socket.GetStream());
            Assert.Equal(ExitCodes.Failed, Assert.IsType<PbmMessage.End>(await stream.ReadAsync(Deadline)).ExitCode);
            Assert.Null(await stream.ReadAsync(Deadline));
        }

        await AssertServesAsync();
    }

    [Fact]
    public async Task A_line_that_never_ends_is_cut_off_and_the_next_client_is_served()
    {
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
            var flood = new byte[64 * 1024];
            Array.Fill(flood, (byte)'x');
            await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                while (true)
                    await socket.GetStream().WriteAsync(flood, Deadline);
            });
        }

        await AssertServesAsync();
    }

    [Fact]
    public async Task One_connection_carries_many_requests_and_each_kind_of_client_gets_its_kind_of_lines()
    {
        await using var client = await ConnectAsync();
        await client.WriteAsync(new PbmMessage.AskCatalogue(), Deadline);
        Assert.Equal("test", Assert.Single(Assert.IsType<PbmMessage.Catalogue>(await client.ReadAsync(Deadline)).Palettes).Name);
        Assert.Equal(["head", "1", "2"], (await CallAsync(client, "count", json: false)).Lines);
        Assert.Equal(["{\"n\":1}", "{\"n\":2}"], (await CallAsync(client, "count", json: true)).Lines);
        Assert.Equal(new PbmMessage.End(ExitCodes.Done, ""), (await CallAsync(client, "count")).End);
    }

    [Theory]
    [InlineData("missing", 3, "there is no such thing")]
    [InlineData("wrong", 2, "a = 1: wrong\nb = 2: wrong")]
    [InlineData("failing", 1, "the disk refuses")]
    [InlineData("huge", 1, "is too long to send")]
    public async Task What_a_command_throws_decides_the_exit_code_and_the_connection_lives(string command, int code, string text)
    {
        await using var client = await ConnectAsync();
        var (_, end) = await CallAsync(client, command);
        Assert.Equal(code, end.ExitCode);
        Assert.Contains(text, end.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("error: ", end.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Done, (await CallAsync(client, "count")).End.ExitCode);
    }

    [Fact]
    public async Task A_defect_names_the_log_that_has_the_details()
    {
        await using var client = await ConnectAsync();
        var (_, end) = await CallAsync(client, "defect");
        Assert.Equal(ExitCodes.Failed, end.ExitCode);
        Assert.Contains($"the details are in {LogFile}", end.Error, StringComparison.Ordinal);
        Assert.Contains("boom", await File.ReadAllTextAsync(LogFile, Deadline), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tets", "count", "did you mean test?")]
    [InlineData("test", "cuont", "did you mean count?")]
    public async Task A_client_that_did_not_ask_for_the_catalogue_is_corrected_all_the_same(string palette, string command, string hint)
    {
        await using var client = await ConnectAsync();
        await client.WriteAsync(new PbmMessage.Call(palette, command, [], Json: false), Deadline);
        var end = Assert.IsType<PbmMessage.End>(await ReadAsync(client));
        Assert.Equal(ExitCodes.WrongUsage, end.ExitCode);
        Assert.Contains(hint, end.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", "strict needs --name")]
    [InlineData("""[{"argument":"name","value":"a"},{"argument":"name","value":"b"}]""", "strict takes --name once")]
    [InlineData("""[{"argument":"nme","value":"a"},{"argument":"name","value":"b"}]""", "strict has no argument --nme")]
    [InlineData("[null]", "strict has no argument --")]
    public async Task Values_that_do_not_fit_do_not_reach_the_command(string values, string problem)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
        var text = $$"""
            {"type":"hello","protocol":1,"version":"test","token":"{{TestService.Token}}"}
            {"type":"call","palette":"test","command":"strict","values":{{values}},"json":false}

            """;
        await using var client = new PbmStream(socket.GetStream());
        await socket.GetStream().WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), Deadline);
        Assert.IsType<PbmMessage.Hello>(await client.ReadAsync(Deadline));
        var end = Assert.IsType<PbmMessage.End>(await ReadAsync(client));
        Assert.Equal(ExitCodes.WrongUsage, end.ExitCode);
        Assert.StartsWith(problem, end.Error, StringComparison.Ordinal);
        Assert.False(_cancelled.Task.IsCompleted);
    }

    [Fact]
    public async Task A_cancel_ends_the_command_and_the_connection_carries_the_next_one()
    {
        await using var client = await ConnectAsync();
        await client.WriteAsync(new PbmMessage.Call("test", "wait", [], Json: false), Deadline);
        Assert.Equal(new PbmMessage.Line("waiting"), await ReadAsync(client));
        await client.WriteAsync(new PbmMessage.Cancel(), Deadline);
        Assert.Equal(new PbmMessage.End(ExitCodes.Interrupted, ""), await ReadAsync(client));
        Assert.True(_cancelled.Task.IsCompleted);
        await client.WriteAsync(new PbmMessage.Cancel(), Deadline);             // once too often
        Assert.Equal(ExitCodes.Done, (await CallAsync(client, "count")).End.ExitCode);
    }

    [Fact]
    public async Task Hanging_up_ends_the_command()
    {
        var client = await ConnectAsync();
        await client.WriteAsync(new PbmMessage.Call("test", "wait", [], Json: false), Deadline);
        await client.ReadAsync(Deadline);
        await client.DisposeAsync();
        await _cancelled.Task.WaitAsync(Deadline);
    }

    [Fact]
    public async Task The_end_of_the_server_ends_the_command_and_says_why()
    {
        await using var client = await ConnectAsync();
        await client.WriteAsync(new PbmMessage.Call("test", "wait", [], Json: false), Deadline);
        await client.ReadAsync(Deadline);
        await _server.DisposeAsync();
        var end = Assert.IsType<PbmMessage.End>(await ReadAsync(client));
        Assert.Equal(ExitCodes.Unreachable, end.ExitCode);
        Assert.Contains("shutting down", end.Error, StringComparison.Ordinal);
        Assert.Null(await client.ReadAsync(Deadline));
    }

    [Fact]
    public async Task A_command_that_has_nothing_to_say_gives_signs_of_life()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Beat = TimeSpan.FromMilliseconds(5) });
        await using var client = await ConnectAsync(server: server);
        await client.WriteAsync(new PbmMessage.Call("test", "wait", [], Json: false), Deadline);
        Assert.Equal(new PbmMessage.Line("waiting"), await client.ReadAsync(Deadline));
        Assert.Equal(new PbmMessage.Beat(), await client.ReadAsync(Deadline));
        Assert.Equal(new PbmMessage.Beat(), await client.ReadAsync(Deadline));
    }

    [Fact]
    public async Task A_client_that_does_not_read_stops_the_command_s_output_and_is_closed_in_the_end()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Write = TimeSpan.FromMilliseconds(200) });
        await using var client = await ConnectAsync(server: server);
        await client.WriteAsync(new PbmMessage.Call("test", "endless", [], Json: false), Deadline);
        await _cancelled.Task.WaitAsync(Deadline);

        // What the two kernels hold, and one line: far from what the command could have produced meanwhile.
        Assert.InRange(Volatile.Read(ref _produced), 1, 64 << 20 >> 16);
    }

    [Fact]
    public async Task A_new_client_takes_the_place_of_the_one_that_was_idle_for_longest()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Connections = 2 });
        await using var oldest = await ConnectAsync(server: server);
        await using var silent = await ConnectAsync(greet: false, server);      // it says not even hello
        for (var i = 0; i < 5; i++)
            await AssertServesAsync(server);
        Assert.Null(await silent.ReadAsync(Deadline));
    }

    private async Task<PbmStream> ConnectAsync(bool greet = true, PbmServer? server = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var endpoint = (server ?? _server).Endpoint;
        await socket.ConnectAsync(endpoint.Host, endpoint.Port, Deadline);
        var client = new PbmStream(new NetworkStream(socket, ownsSocket: true));
        if (!greet)
            return client;
        await client.WriteAsync(TestService.Hello, Deadline);
        Assert.IsType<PbmMessage.Hello>(await client.ReadAsync(Deadline));
        return client;
    }

    // Passes over signs of life, of which a busy machine has time for some.
    private static async Task<PbmMessage?> ReadAsync(PbmStream client)
    {
        var deadline = Deadline;
        while (true)
        {
            if (await client.ReadAsync(deadline) is var message and not PbmMessage.Beat)
                return message;
        }
    }

    private async Task AssertServesAsync(PbmServer? server = null)
    {
        await using var client = await ConnectAsync(server: server);
        Assert.Equal(ExitCodes.Done, (await CallAsync(client, "count")).End.ExitCode);
    }

    private static async Task<(IReadOnlyList<string> Lines, PbmMessage.End End)> CallAsync(
        PbmStream client, string command, bool json = false)
    {
        await client.WriteAsync(new PbmMessage.Call("test", command, [], json), Deadline);
        var lines = new List<string>();
        while (true)
        {
            switch (await client.ReadAsync(Deadline))
            {
                case PbmMessage.Line line:
                    lines.Add(line.Text);
                    break;
                case PbmMessage.End end:
                    return (lines, end);
                case PbmMessage.Beat:
                    break;
                case var other:
                    throw new InvalidOperationException($"not expected: {other}");
            }
        }
    }

    private Task<PbmServer> StartAsync(PbmLimits limits) => PbmServer.StartAsync("127.0.0.1", 0, TestService.Of(_folder,
    [
        new Palette("test", "is for tests",
        [
            Command("count", (_, _) => Count()),
            Command("missing", (_, _) => Throw(new NotFoundException("there is no such thing"))),
            Command("wrong", (_, _) => Throw(new Elastic.Host.Configuration.SettingsException(["a = 1: wrong", "b = 2: wrong"]))),
            Command("failing", (_, _) => Throw(new IOException("the disk refuses"))),
            Command("huge", (_, _) => Huge()),
            Command("defect", (_, _) => Throw(new InvalidOperationException("boom"))),
            Command("wait", (_, cancel) => Wait(cancel)),
            Command("endless", (_, cancel) => Endless(cancel)),
            new(new CommandHelp("strict", "", [new("n", "name", "NAME", "", Required: true)]), false, (_, cancel) => Wait(cancel)),
        ]),
    ], limits), Transport.Plain, Deadline);

    private static PaletteCommand Command(string name, Func<PbmCall, CancellationToken, IAsyncEnumerable<PbmLine>> handler) =>
        new(new CommandHelp(name, "", []), Changes: false, handler);

    private static async IAsyncEnumerable<PbmLine> Count()
    {
        await Task.Yield();
        yield return new PbmLine("head");
        yield return new PbmLine("1", new JsonObject { ["n"] = 1 });
        yield return new PbmLine("2", new JsonObject { ["n"] = 2 });
    }

    private static async IAsyncEnumerable<PbmLine> Throw(Exception e)
    {
        await Task.Yield();
        yield return new PbmLine("before");
        throw e;
    }

    private static async IAsyncEnumerable<PbmLine> Huge()
    {
        await Task.Yield();
        yield return new PbmLine(new string('x', PbmStream.MaxLineBytes));
    }

    private async IAsyncEnumerable<PbmLine> Wait([EnumeratorCancellation] CancellationToken cancel)
    {
        try
        {
            yield return new PbmLine("waiting");
            await Task.Delay(Timeout.Infinite, cancel);
        }
        finally
        {
            _cancelled.TrySetResult();
        }
    }

    // 64 KiB a line.
    private async IAsyncEnumerable<PbmLine> Endless([EnumeratorCancellation] CancellationToken cancel)
    {
        try
        {
            for (; !cancel.IsCancellationRequested; Interlocked.Increment(ref _produced))
            {
                await Task.Yield();
                yield return new PbmLine(new string('x', 1 << 16));
            }
        }
        finally
        {
            _cancelled.TrySetResult();
        }
    }
}
