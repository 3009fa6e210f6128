using System.Net;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Web;

/// <summary>What the API answers, and that its document says so.</summary>
public sealed class ApiTests : IAsyncLifetime
{
    private static readonly RunId Tiny = Views.Tiny.RunId, Other = new("other-4m0w3nr8");
    private static readonly NodeId W1 = new("w1-8h2m4xyq"), W3 = new("w3-9j3n5zar");

    private Served _served = null!;

    public async ValueTask InitializeAsync()
    {
        _served = await Served.StartAsync(limits: new(2, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(100)));
        var cluster = _served.Cluster;
        cluster.Nodes =
        [
            Views.Node("10.0.0.1:4053", W1.Value) with
            {
                Work = [$"{Tiny} compute 5 replica 0", $"{Tiny} compute-stage 5 replica 2 stage 1", $"{Tiny} score 5"],
            },
        ];
        cluster.Cluster = new ClusterMembers(
            [new("10.0.0.5:4053", ["seed"], "Up", true), new("10.0.0.1:4053", ["worker"], "Up", true)],
            "10.0.0.5:4053", "10.0.0.5:4053", "");
        var settings = TinySettings.Of("tiny");
        cluster.Curves.Add(new RunCurve(Tiny, settings, Digest.Of([1]),
            [new(0, 0, null, new(0, 5.5, 8)), new(1, 2048, 3, null), new(2, 4096, double.NaN, new(2, 2.25, 3.2))])
        {
            Segments = [new Coordination.Segment
                { FromRound = 0, Rounds = 3, Replicas = 2, InnerSteps = 2, Sequences = 4, MicroBatches = 1 }],
        });
        cluster.Curves.Add(new RunCurve(
            Other, settings with { Optimizer = settings.Optimizer with { LearningRate = 0.5 } }, Digest.Of([1]), [])
        {
            History =
            [
                new(0, settings with { Optimizer = settings.Optimizer with { LearningRate = 0.5 } }),
                new(7, settings with { Optimizer = settings.Optimizer with { LearningRate = 0.25 } }),
            ],
        });
        _served.Observe(
            new DashboardOpened("10.0.0.5:4053", "http://10.0.0.5:4090"), new DashboardOpened("10.0.0.6:4053", "http://10.0.0.6:4090"),
            new StepLoss(Tiny, W3, 5, 2, 1, 3.5, 0.001), new WorkGivenAgain(Tiny, W3, "compute", 5, 2, "the node is given up"),
            new StepLoss(Tiny, W1, 5, 2, 1, 3.5, 0.001), new WorkRecovered(Tiny, W1, 5, 2, 1.2),
            new ResultLost(Tiny, 5, 0, "nobody has it"), new PhaseDuration(Tiny, 5, RunPhase.Computing, 2.5),
            new PhaseDuration(Tiny, 5, RunPhase.Averaging, 0.5),
            new Goodput(Tiny, 5, 9, 12), new RoundCommitted(Tiny, 5, 8192), new ScoreOfSource(Tiny, 2, "web", 30, 10));
    }

    public ValueTask DisposeAsync() => _served.DisposeAsync();

    [Fact]
    public async Task Every_documented_address_answers_what_the_document_says()
    {
        var document = JsonNode.Parse(Elastic.Host.Web.Pages.Text("openapi.json"))!;
        var looked = 0;
        foreach (var (path, methods) in document["paths"]!.AsObject().Where(p => p.Value!["get"] is not null))
        {
            if (methods!["get"]!["responses"]!["200"]!["content"]!["application/json"]?["schema"] is not { } schema)
                continue;
            var at = path.Replace("{run}", "tiny", StringComparison.Ordinal).Replace("{node}", W1.Value, StringComparison.Ordinal);
            var asked = at.Contains("comparison", StringComparison.Ordinal) ? at + "?a=tiny&b=other" : at;
            Fits(document, schema, await _served.GetAsync(asked), at);
            looked++;
        }

        Assert.Equal(13, looked);
        var (_, text, _) = await _served.SendAsync(HttpMethod.Post, "/api/v1/runs/tiny/stop", "{}", Served.Token);
        Fits(document, document["components"]!["schemas"]!["Carried"]!, JsonNode.Parse(text), "stop");
        (_, text, _) = await _served.SendAsync(HttpMethod.Get, "/api/v1/nothing", null, Served.Token);
        Fits(document, document["components"]!["schemas"]!["Problem"]!, JsonNode.Parse(text), "problem");
    }

    [Fact]
    public async Task A_run_has_its_view_its_settings_and_its_segments()
    {
        var run = await _served.GetAsync("/api/v1/runs/tiny");
        Assert.Equal((5, 800), ((int)run["view"]!["round"]!, (int)run["view"]!["totalSteps"]!));
        Assert.Equal(TinySettings.Of("tiny").Batch.Sequences, (int)run["settings"]!["batch.sequences"]!);
        Assert.Equal(3, (int)Assert.Single(run["segments"]!.AsArray())!["rounds"]!);
        Assert.Empty(run["changedFromRound"]!.AsObject());
        // It is in the journal, and no supervisor has told of it.
        run = await _served.GetAsync("/api/v1/runs/other");
        Assert.Null(run["view"]);
        // Of what was changed in mid-run the newest.
        Assert.Equal(0.25, (double)run["settings"]!["optimizer.learning-rate"]!);
        Assert.Equal(("optimizer.learning-rate", 7), Assert.Single(run["changedFromRound"]!.AsObject()) is var (key, round)
            ? (key, (int)round!) : default);
    }

    [Fact]
    public async Task Losses_come_page_by_page_with_those_of_sources_and_what_is_no_number_is_null()
    {
        var first = await _served.GetAsync("/api/v1/runs/tiny/losses?limit=2");
        Assert.Equal([0, 1], first["points"]!.AsArray().Select(p => (int)p!["round"]!));
        Assert.Equal(1, (int)first["next"]!);
        var second = await _served.GetAsync("/api/v1/runs/tiny/losses?limit=2&after=1");
        var point = Assert.Single(second["points"]!.AsArray())!;
        Assert.Null(point["trainLoss"]);
        Assert.Equal((2.25, 3.0), ((double)point["valLoss"]!, (double)point["sources"]!["web"]!));
        Assert.Null(second["next"]);
    }

    [Fact]
    public async Task A_round_tells_its_phases_what_was_lost_and_its_goodput()
    {
        var answer = await _served.GetAsync("/api/v1/runs/tiny/rounds");
        var round = Assert.Single(answer["rounds"]!.AsArray())!;
        Assert.Equal(["computing", "averaging"], round["phases"]!.AsArray().Select(p => (string)p!["phase"]!));
        // An observation of a phase is made at its end.
        Assert.Equal(
            Served.Noon.AddSeconds(8 - 2.5), DateTimeOffset.Parse((string)round["phases"]![0]!["began"]!));
        Assert.Equal((5, 8192L), ((int)round["round"]!, (long)round["tokens"]!));
        Assert.Equal((0.75, 0.75), ((double)round["goodput"]!["ratio"]!, (double)answer["goodput"]!["ratio"]!));
        Assert.Equal(
            [
                "round 5: replica 2, which node w3-9j3n5zar had, was given out again at 12:00:04Z (the node is given up); "
                + "node 10.0.0.1:4053 went on with it 1.2 s later",
                "round 5: the result of replica 0 was lost at 12:00:07Z and computed again (nobody has it)",
                "round 5: 3.0 s of 12.0 s that nodes computed are in no committed version",
            ],
            round["lost"]!.AsArray().Select(l => (string)l!));
        var places = await _served.GetAsync("/api/v1/runs/tiny/replicas");
        var place = Assert.Single(places["replicas"]!.AsArray())!;
        Assert.Equal("10.0.0.1:4053", (string)place["node"]!);
        var stage = Assert.Single(place["stages"]!.AsArray())!;
        Assert.Equal((1, "10.0.0.1:4053"), ((int)stage["stage"]!, (string)stage["node"]!));
        var move = Assert.Single(places["moves"]!.AsArray())!;
        Assert.Equal(("w3-9j3n5zar", "10.0.0.1:4053"), ((string)move["from"]!, (string)move["to"]!));
    }

    [Fact]
    public async Task A_node_has_its_replicas_and_the_cluster_the_dashboards_of_its_members()
    {
        var node = Assert.Single((await _served.GetAsync("/api/v1/nodes"))["nodes"]!.AsArray())!;
        Assert.Equal([("tiny", 5, 0, 0), ("tiny", 5, 2, 1)], node["replicas"]!.AsArray().Select(
            r => ((string)r!["run"]!, (int)r["round"]!, (int)r["replica"]!, (int)r["stage"]!)));
        var dashboards = (await _served.GetAsync("/api/v1/cluster"))["dashboards"]!.AsArray();
        Assert.Equal(["http://10.0.0.5:4090"], dashboards.Select(d => (string)d!));
        // The page may go on there, and nowhere else; and ask seeds that came later by a worker, which is loaded anew.
        foreach (var file in new[] { "/", "/look.js?2" })
        {
            var (_, _, page) = await _served.SendAsync(HttpMethod.Get, file);
            Assert.Contains("connect-src 'self' http://10.0.0.5:4090;", Assert.Single(page.Headers.GetValues("Content-Security-Policy")),
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Observations_come_page_by_page_forwards_or_the_newest_of_a_run_and_of_kinds()
    {
        var page = await _served.GetAsync("/api/v1/observations?after=0&limit=2");
        Assert.Equal([1, 2], page["observations"]!.AsArray().Select(o => (int)o!["id"]!));
        page = await _served.GetAsync($"/api/v1/observations?after={page["next"]}&limit=1000");
        Assert.Equal(10, page["observations"]!.AsArray().Count);
        page = await _served.GetAsync("/api/v1/observations?run=tiny&kind=step,goodput&limit=2");
        Assert.Equal(["step", "goodput"], page["observations"]!.AsArray().Select(o => (string)o!["observed"]!));
        Assert.Equal("12:00:05Z tiny: round 5, replica 2, step 1: loss 3.5000", (string)page["observations"]![0]!["text"]!);
    }

    [Theory]
    [InlineData("/api/v1/runs?limit=0", 400, "limit=0: use a number from 1 to 1000")]
    [InlineData("/api/v1/runs?limit=1001", 400, "limit=1001: use a number from 1 to 1000")]
    [InlineData("/api/v1/runs?limit=1&limit=2", 400, "limit is given more than once: give it once")]
    [InlineData("/api/v1/runs/tiny/losses?after=x", 400, "after=x: use a number from -1 to 2147483647")]
    [InlineData("/api/v1/observations?kind=steps", 400, "kind=steps: nothing is observed under this name; did you mean step?")]
    [InlineData("/api/v1/comparison?a=tiny", 400, "b is missing: name two runs, ?a=ONE&b=OTHER")]
    [InlineData("/api/v1/runs/nobody", 404, "there is no run nobody: GET /api/v1/runs lists all")]
    [InlineData("/api/v1/runs/..%2f..", 404, "there is no run ..%2f.. (path): GET /api/v1/runs lists all")]
    [InlineData("/api/v1/nodes/w9/load", 404, "there is no node w9: GET /api/v1/nodes lists all")]
    [InlineData("/api/v2/runs", 404, "GET /api/v2/runs is nothing that is served here: GET /api/v1/openapi.json describes what is")]
    public async Task What_cannot_be_answered_is_named_with_the_remedy(string path, int status, string detail)
    {
        var (code, text, answer) = await _served.SendAsync(HttpMethod.Get, path, null, Served.Token);
        var problem = JsonNode.Parse(text)!;
        Assert.Equal((status, detail), ((int)code, (string)problem["detail"]!));
        Assert.Equal(status, (int)problem["status"]!);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Events_go_on_after_the_last_one_that_the_client_has_and_show_that_they_live()
    {
        using var events = await _served.FollowAsync("/api/v1/events?run=tiny", ("Last-Event-ID", "10"));
        var text = await UntilAsync(events, ": beat");
        Assert.StartsWith("retry: 2000\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("id: 10\n", text, StringComparison.Ordinal);
        Assert.Contains("id: 11\nevent: observation\ndata: {\"id\":11,", text, StringComparison.Ordinal);
        Assert.Contains("\"text\":\"12:00:11Z tiny: round 5 is committed", text, StringComparison.Ordinal);
        Assert.Contains("id: 12\n", text, StringComparison.Ordinal);
        Assert.Contains("event: runs\ndata: {\"runs\":[{\"run\":\"tiny\"", text, StringComparison.Ordinal);
        // A view that has changed comes again; one that has not does not.
        _served.Cluster.Runs = [Views.Tiny with { Round = 6 }];
        text = await UntilAsync(events, "\"round\":6");
        Assert.DoesNotContain("\"round\":5,", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_has_later_events_than_the_database_which_was_set_back_gets_what_comes_next()
    {
        using var events = await _served.FollowAsync("/api/v1/events?after=5000");
        Assert.DoesNotContain("event: observation", await UntilAsync(events, "event: runs"), StringComparison.Ordinal);
        _served.Observe(new RoundCommitted(Tiny, 6, 9000));
        Assert.DoesNotContain("id: 12\n", await UntilAsync(events, "id: 13\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_pages_than_a_seed_serves_are_told_so()
    {
        using var one = await _served.FollowAsync("/api/v1/events");
        using var two = await _served.FollowAsync("/api/v1/events");
        var (status, text, _) = await _served.SendAsync(HttpMethod.Get, "/api/v1/events", null, Served.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("2 pages follow this seed's events already", text, StringComparison.Ordinal);
    }

    private static async Task<string> UntilAsync(StreamReader events, string mark)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        for (var text = ""; ;)
        {
            text += await events.ReadLineAsync(deadline.Token) + "\n";
            if (text.Contains(mark, StringComparison.Ordinal))
                return text;
        }
    }

    // Every key is one of the document's, every required one is there, and what is null may be.
    private static void Fits(JsonNode document, JsonNode schema, JsonNode? value, string where)
    {
        if (schema["$ref"] is { } reference)
            schema = document["components"]!["schemas"]![((string)reference!).Split('/')[^1]]!;
        if (schema["oneOf"] is JsonArray options)
        {
            if (value is not null)
                Fits(document, options[0]!, value, where);
            return;
        }

        var types = schema["type"] is JsonArray several ? several.Select(t => (string)t!).ToList() : [(string)schema["type"]!];
        Assert.True(value switch
        {
            null => types.Contains("null"),
            JsonObject => types.Contains("object"),
            JsonArray => types.Contains("array"),
            _ => value.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.String => types.Contains("string"),
                System.Text.Json.JsonValueKind.Number => types.Contains("number") || types.Contains("integer"),
                _ => types.Contains("boolean"),
            },
        }, $"{where}: {value?.ToJsonString()} is none of {string.Join(", ", types)}");
        if (value is JsonArray items && schema["items"] is { } item)
        {
            foreach (var one in items)
                Fits(document, item, one, $"{where}[]");
        }

        if (value is not JsonObject known || schema["properties"] is not JsonObject properties)
            return;
        foreach (var (key, inner) in known)
        {
            if (properties[key] is { } property)
                Fits(document, property, inner, $"{where}.{key}");
            else
                Assert.True(schema["additionalProperties"] is not null, $"{where}.{key} is not in the document");
        }

        foreach (var required in schema["required"]!.AsArray())
            Assert.True(known.ContainsKey((string)required!), $"{where} lacks {required}");
    }
}
