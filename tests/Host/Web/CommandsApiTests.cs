using System.Net;
using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Host.Tests.Web;

/// <summary>What changes something by HTTP, and the dashboard's files.</summary>
public sealed class CommandsApiTests
{
    [Fact]
    public async Task A_command_is_carried_out_as_by_pbm_with_its_values_and_under_its_id_and_is_written_down()
    {
        await using var served = await Served.StartAsync();
        served.Cluster.Nodes = [Views.Node("10.0.0.1:4053", "w1-8h2m4xyq")];
        var (status, text, _) = await served.SendAsync(
            HttpMethod.Post, "/api/v1/nodes/w1-8h2m4xyq/devices", """{"devices": "cpu:2"}""",
            [("Idempotency-Key", "key-1"), .. Served.Token]);
        Assert.True(status == HttpStatusCode.OK, text);
        Assert.Equal("cpu:2", served.Cluster.Used.Devices);
        Assert.Equal(("key-1", "http token"), (served.Cluster.Asker?.Id, served.Cluster.Asker?.Who));
        var answer = JsonNode.Parse(text)!;
        Assert.Equal("key-1", (string)answer["id"]!);
        Assert.Equal("node 10.0.0.1:4053 has cpu:0,2", (string)answer["lines"]![0]!["text"]!);
        var lines = served.Log.TrimEnd().Split('\n').Select(l => JsonNode.Parse(l)!).ToList();
        Assert.All(lines, l => Assert.Equal(
            ("key-1", "node devices", "http token"), ((string)l["id"]!, (string)l["command"]!, (string)l["who"]!)));
        Assert.Null(lines[0]["exitCode"]);                               // it begins
        Assert.Equal(0, (int)lines[^1]["exitCode"]!);
    }

    [Theory]
    [InlineData("/api/v1/runs/tiny/stopp", null, 404, "runs have no command stopp that changes something: did you mean stop?")]
    [InlineData("/api/v1/runs/tiny/status", null, 404, "runs have no command status that changes something")]
    [InlineData("/api/v1/runs/nobody/stop", null, 404, "there is no run nobody")]
    [InlineData("/api/v1/runs/tiny/stop", """{"force": true}""", 400, "stop has no argument --force")]
    [InlineData("/api/v1/runs/tiny/stop", """{"name": "other"}""", 400, "stop takes --name once")]
    [InlineData("/api/v1/runs/tiny/stop", "[]", 400, "the body is no object")]
    [InlineData("/api/v1/runs/tiny/stop", "{", 400, "the body is no JSON")]
    [InlineData("/api/v1/runs/tiny/stop", """{"a": {"b": 1}}""", 400, "a is no text")]
    [InlineData("/api/v1/runs/tiny/scale", "{}", 400, "scale needs --devices")]
    public async Task A_command_that_is_none_is_refused_with_the_remedy(string path, string? body, int status, string detail)
    {
        await using var served = await Served.StartAsync();
        var (code, text, _) = await served.SendAsync(HttpMethod.Post, path, body, Served.Token);
        Assert.Equal(status, (int)code);
        Assert.StartsWith(detail, (string)JsonNode.Parse(text)!["detail"]!, StringComparison.Ordinal);
        Assert.Null(served.Cluster.Stopped);
    }

    [Fact]
    public async Task A_supervisors_refusal_is_told_in_its_words_and_too_long_a_body_is_not_read()
    {
        await using var served = await Served.StartAsync();
        served.Cluster.Refusal = "run tiny is finished";
        var (status, text, _) = await served.SendAsync(HttpMethod.Post, "/api/v1/runs/tiny/stop", null, Served.Token);
        Assert.Equal((HttpStatusCode.Conflict, "run tiny is finished"), (status, (string)JsonNode.Parse(text)!["detail"]!));
        Assert.Contains("run tiny is finished", served.Log, StringComparison.Ordinal);
        var body = $$"""{"a": "{{new string('a', 65 << 10)}}"}""";
        (status, text, _) = await served.SendAsync(HttpMethod.Post, "/api/v1/runs/tiny/stop", body, Served.Token);
        Assert.Equal(
            (HttpStatusCode.RequestEntityTooLarge, "the body has more than 64.0 KiB: send less at once"),
            (status, (string)JsonNode.Parse(text)!["detail"]!));
    }

    [Fact]
    public async Task The_commands_that_there_are_are_listed_with_their_arguments()
    {
        await using var served = await Served.StartAsync();
        var commands = (await served.GetAsync("/api/v1/commands"))["commands"]!.AsArray();
        Assert.Contains("/api/v1/runs/{run}/stop", commands.Select(c => (string)c!["path"]!));
        Assert.Contains("/api/v1/nodes/{node}/devices", commands.Select(c => (string)c!["path"]!));
        Assert.DoesNotContain("status", commands.Select(c => (string)c!["command"]!));

        // A page asks twice where a command tells first what it would do, and once where it would do it at once.
        List<string> With(string kind) =>
        [
            .. commands.SelectMany(c => c!["arguments"]!.AsArray().Where(a => (bool)a![kind]!)
                .Select(a => $"{c["subject"]} {c["command"]} {a!["name"]}")),
        ];
        Assert.Equal(["run set yes"], With("confirms"));
        Assert.Equal(["run delete yes"], With("isConsent"));
    }

    [Fact]
    public async Task The_pages_files_come_from_the_seed_alone_and_are_small()
    {
        await using var served = await Served.StartAsync();
        var bytes = 0;
        foreach (var name in Elastic.Host.Web.Pages.Names.Where(n => n != "openapi.json").Append(""))
        {
            var (status, text, answer) = await served.SendAsync(HttpMethod.Get, $"/{name}");
            Assert.Equal(HttpStatusCode.OK, status);
            bytes += text.Length;
            var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.StartsWith(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';", policy,
                StringComparison.Ordinal);
            // A name of a namespace is no address.
            Assert.DoesNotContain("//", text.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal)
                .Split('\n').Select(l => l.Split("// ")[0]).Aggregate("", string.Concat), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.NotModified, (await served.SendAsync(
                HttpMethod.Get, $"/{name}", null, ("If-None-Match", answer.Headers.ETag!.ToString()))).Status);
        }

        Assert.InRange(bytes, 20_000, 200_000);
        Assert.Equal(HttpStatusCode.NotFound, (await served.SendAsync(HttpMethod.Get, "/nothing.js")).Status);
    }

    [Fact]
    public async Task The_usual_port_gives_way_where_it_is_in_use_and_one_that_was_named_is_an_error()
    {
        await using var one = await Served.StartAsync(port: null);      // has the usual port, unless another program has it
        await using var two = await Served.StartAsync(port: null);
        Assert.NotEqual(one.Endpoint.Port, two.Endpoint.Port);
        var refused = await Assert.ThrowsAsync<ElasticException>(() => Served.StartAsync(port: one.Endpoint.Port));
        Assert.Contains("give another port with --dashboard-port", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_address_for_a_terminal_holds_the_token_where_no_server_sees_it()
    {
        await using var served = await Served.StartAsync();
        var (page, token) = served.AddressWithToken.Split("#token=") is [var a, var b] ? (a, b) : default;
        Assert.Equal($"http://{served.Endpoint}/", page);
        Assert.Equal(Pbm.TestService.Token, Convert.ToHexStringLower(System.Buffers.Text.Base64Url.DecodeFromChars(token)));
        Assert.InRange(served.AddressWithToken.Length, 1, 80);
    }
}
