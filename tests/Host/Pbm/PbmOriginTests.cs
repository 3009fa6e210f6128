using System.Net.Sockets;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Tests.Pbm;

/// <summary>What a command is told of who asks, by clients of every kind.</summary>
public sealed class PbmOriginTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private PbmServer _server = null!;

    private static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    public async ValueTask InitializeAsync() => _server = await PbmServer.StartAsync(
        "127.0.0.1", 0,
        TestService.Of(
            _folder, [new Palette("test", "is for tests", [new(new CommandHelp("who", "", []), false, (call, _) => Say(call))])]),
        Transport.Plain, Deadline);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData(""","who":null,"id":null""")]
    [InlineData(""","who":"","id":"" """)]
    public async Task A_client_that_does_not_say_who_it_is_is_somebody_and_each_of_its_calls_has_another_id(string fields)
    {
        string[] told = [await AskAsync(fields), await AskAsync(fields)];
        Assert.All(told, text => Assert.Matches("^pbm somebody [0-9a-f]{32}$", text));
        Assert.NotEqual(told[0], told[1]);
    }

    [Fact]
    public async Task A_command_is_told_who_asks_and_under_which_id_and_a_call_that_is_repeated_has_the_same() => Assert.Equal(
        ["pbm anna@gpu7 3k9v2mq7", "pbm anna@gpu7 3k9v2mq7"],
        [await AskAsync(""","who":"anna@gpu7","id":"3k9v2mq7" """), await AskAsync(""","who":"anna@gpu7","id":"3k9v2mq7" """)]);

    [Fact]
    public async Task What_a_client_says_of_itself_is_cut_where_it_is_too_long() => Assert.Equal(
        $"pbm {new string('w', 100)} {new string('i', 100)}",
        await AskAsync($""","who":"{new string('w', 10_000)}","id":"{new string('i', 10_000)}" """));

    [Fact]
    public async Task What_a_terminal_would_obey_in_a_name_is_replaced() => Assert.StartsWith(
        "pbm anna\uFFFD[2J ", await AskAsync(""","who":"anna\u001b[2J" """), StringComparison.Ordinal);

    [Fact]
    public void A_call_carries_who_and_id_as_texts()
    {
        var call = new PbmMessage.Call("run", "stop", [], Json: false, "anna@gpu7", "3k9v2mq7");
        var json = JsonSerializer.SerializeToElement<PbmMessage>(call, JsonSerializerOptions.Web);
        Assert.Equal(("anna@gpu7", "3k9v2mq7"), (json.GetProperty("who").GetString(), json.GetProperty("id").GetString()));
    }

    // A bare socket, with the fields of the call as the test wants them.
    private async Task<string> AskAsync(string fields)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
        await using var client = new PbmStream(socket.GetStream());
        var text = $$"""
            {"type":"hello","protocol":1,"version":"test","token":"{{TestService.Token}}"}
            {"type":"call","palette":"test","command":"who","values":[],"json":false{{fields}}}

            """;
        await socket.GetStream().WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), Deadline);
        Assert.IsType<PbmMessage.Hello>(await client.ReadAsync(Deadline));
        return Assert.IsType<PbmMessage.Line>(await client.ReadAsync(Deadline)).Text;
    }

    private static async IAsyncEnumerable<PbmLine> Say(PbmCall call)
    {
        await Task.Yield();
        yield return new PbmLine($"{call.Origin.Who} {call.Origin.Id}");
    }
}
