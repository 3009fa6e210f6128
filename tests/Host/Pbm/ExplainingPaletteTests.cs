using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The commands that say why, and that show what happens, on a cluster of the test's making.</summary>
public sealed class ExplainingPaletteTests
{
    private static readonly RunId Tiny = FakeCluster.Tiny.RunId, Other = new("other-3k9v2mq7");
    private static readonly NodeId Worker = new("z-8h2m4xyq");
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly FakeCluster _cluster = new()
    {
        Nodes =
        [
            Views.Node("10.0.0.1:4053", Worker.Value) with { Work = [$"{Tiny} compute 5 replica 0", $"{Other} copy 3"] },
            Views.Node("10.0.0.2:4053", "b-8h2m4xyq") with { State = "suspected", Devices = [] },
        ],
    };

    [Fact]
    public async Task Why_says_what_the_run_waits_for_who_has_which_work_how_long_rounds_take_and_what_went_wrong()
    {
        _cluster.Runs =
        [
            FakeCluster.Tiny with
            {
                WaitsFor = "nodes to hand over: w3",
                Resting = [new RestingNode(new("b-8h2m4xyq"), "10.0.0.2:4053", "the disk is full", 250)],
            },
        ];
        Observe(
            new PhaseDuration(Tiny, 3, RunPhase.Computing, 4), new PhaseDuration(Tiny, 3, RunPhase.Averaging, 0.5),
            new PhaseDuration(Tiny, 4, RunPhase.Computing, 2), new NodeLost(Worker, "it says nothing"),
            new WorkGivenAgain(Tiny, Worker, "compute", 4, 2, "the node is given up"),
            new WorkGivenAgain(Other, Worker, "copy", 4, 2, "full"),
            new StepsSkipped(Tiny, Worker, 4, 2, 3, 8192), new SplitSmaller(Tiny, Worker, 4, 2, "no pipeline"), new Score(Tiny, 4, 2, 3),
            new DeviceLost(
                Tiny, Worker, "cpu:1", "compute", 4, 2, true, "rank 1 of 2 (cpu:1) did not end its update within 60 s: it hangs"));
        var lines = await Lines("run", "why");
        Assert.Equal(
            [
                "run tiny: computing, round 5/40",
                "it waits for nodes to hand over: w3",
                "priority 0, place 1 in the queue, computes on 0 of 2 devices that may compute for it",
                "node 10.0.0.1:4053 (up, cpu:0): compute 5 replica 0",
                "node 10.0.0.2:4053 (suspected, no device): nothing of this run; it rests for another 4m 10s: the disk is full",
                "of the last rounds, each took, in the middle: computing 3.00 s, averaging 0.50 s",
                "what happened lately:",
                "  12:00:04Z node 10.0.0.1:4053 is lost: it says nothing",
                "  12:00:05Z tiny: compute 4 replica 2 is given out again, which 10.0.0.1:4053 had: the node is given up",
                "  12:00:07Z tiny: round 4, replica 2: 3 steps overflowed and skipped, loss scale 8192",
                "  12:00:08Z tiny: round 4, replica 2 on 10.0.0.1:4053 has no pipeline",
                "  12:00:10Z tiny: 10.0.0.1:4053 has lost cpu:1 in compute 4 replica 2, which repeats the step on the other devices: "
                    + "rank 1 of 2 (cpu:1) did not end its update within 60 s: it hangs",
            ],
            lines.Select(l => l.Text).OfType<string>());
        var json = lines.Select(l => l.Json).OfType<JsonObject>().ToList();
        Assert.Equal(("nodes to hand over: w3", "compute 5 replica 0"), ((string?)json[0]["waitsFor"], (string?)json[1]["work"]![0]));
        Assert.Equal(3, (double)json[3]["medianSeconds"]!["computing"]!);
        Assert.Equal(("node-lost", "it says nothing"), ((string?)json[4]["observed"], (string?)json[4]["why"]));
    }

    [Fact]
    public async Task Why_says_which_nodes_compute_a_replica_together()
    {
        _cluster.Nodes =
        [
            Views.Node("10.0.0.1:4053", "a-8h2m4xyq") with
            {
                Work = [$"{Tiny} compute-stage 5 replica 1 stage 1", $"{Tiny} compute 5 replica 0", $"{Other} compute 5 replica 1"],
            },
            Views.Node("10.0.0.2:4053", "b-8h2m4xyq") with { Work = [$"{Tiny} compute 5 replica 1"] },
        ];
        var told = Assert.Single(await Lines("run", "why"), l => l.Text?.StartsWith("replica ", StringComparison.Ordinal) == true);
        Assert.Equal("replica 1 of round 5: stage 0 on 10.0.0.2:4053, stage 1 on 10.0.0.1:4053", told.Text);
        Assert.Equal([(0, "10.0.0.2:4053"), (1, "10.0.0.1:4053")], told.Json!["stages"]!.AsArray().Select(
            s => ((int)s!["stage"]!, (string?)s["node"])));
    }

    [Theory]
    [InlineData(RunPhase.Computing, null, "it waits for nothing but work in flight")]
    [InlineData(RunPhase.Stopped, null, "it was stopped: pbm run start -n tiny goes on with it")]
    [InlineData(RunPhase.Paused, null, "it is paused: pbm run resume -n tiny goes on with it")]
    [InlineData(RunPhase.Finished, null, "it waits for nothing: all its rounds are committed")]
    [InlineData(RunPhase.Computing, "the disk is full", "it cannot go on: the disk is full")]
    public async Task A_run_that_waits_for_nothing_says_why_it_stands(RunPhase phase, string? failure, string said)
    {
        _cluster.Runs = [FakeCluster.Tiny with { Phase = phase, Failure = failure }];
        var texts = (await Lines("run", "why", ("name", "tiny"))).Select(l => l.Text).ToList();
        Assert.Equal((said, "nothing has gone wrong lately"), (texts[1], texts[^1]));
    }

    [Fact]
    public async Task Two_runs_are_compared_by_the_settings_in_which_they_differ_and_by_their_losses()
    {
        var settings = TinySettings.Of("tiny");
        var faster = TinySettings.Of("other");
        faster = faster with
        {
            Optimizer = faster.Optimizer with { LearningRate = 0.01 },
            Checkpoint = faster.Checkpoint with { Keep = 7 },
        };
        _cluster.Curves.Add(new RunCurve(Tiny, settings, Digest.Of([1]),
            [new(0, 0, null, new(0, 5.5, 8)), new(1, 2048, 3, null), new(2, 4096, 2.5, new(2, 2.25, 3.25))]));
        _cluster.Curves.Add(new RunCurve(Other, faster, Digest.Of([1]), [new(0, 0, null, new(0, 5.5, 8)), new(1, 2048, double.NaN, null)]));
        var lines = await Lines("run", "compare", ("name", "tiny"), ("name", "other"));
        Assert.Equal(
            [
                "where tiny and other differ:",
                "KEY                      TINY   OTHER  WEIGHTS",
                "optimizer.learning-rate  0.003  0.01   others",
                "checkpoint.keep          2      7      the same",
                "ROUND  TOKENS TINY    LOSS     VAL  TOKENS OTHER  LOSS     VAL",
                "    0            0          5.5000             0        5.5000",
                "    1        2.05k  3.0000                 2.05k   NaN",
                "    2        4.10k  2.5000  2.2500",
            ],
            lines.Select(l => l.Text).OfType<string>());
        var json = lines.Select(l => l.Json).OfType<JsonObject>().ToList();
        Assert.Equal(("tiny", "other"), ((string?)json[0]["a"], (string?)json[0]["b"]));
        Assert.Equal((2, 2.25), ((int)json[^1]["round"]!, (double)json[^1]["a"]!["valLoss"]!));
        Assert.Null(json[^1]["b"]);
        Assert.Null(json[^2]["b"]!["trainLoss"]);
    }

    [Fact]
    public async Task Of_a_setting_that_was_changed_in_mid_run_the_newest_value_is_compared_and_it_is_said_since_when()
    {
        var slow = TinySettings.Of("tiny");
        var fast = slow with { Optimizer = slow.Optimizer with { LearningRate = 0.01 } };
        // Both come to the same; but what they compute between is not the same.
        _cluster.Curves.Add(new RunCurve(Tiny, slow, Digest.Of([1]), []) { History = [new(0, slow), new(4, slow), new(4, fast)] });
        _cluster.Curves.Add(new RunCurve(Other, fast, Digest.Of([1]), []));
        var lines = await Lines("run", "compare", ("name", "tiny"), ("name", "other"));
        Assert.Equal(
            [
                "where tiny and other differ:",
                "KEY                      TINY                             OTHER  WEIGHTS",
                "optimizer.learning-rate  0.01 from round 4, 0.003 before  0.01   others",
                "neither has committed a round yet",
            ],
            lines.Select(l => l.Text).OfType<string>());
        var json = lines.Select(l => l.Json).OfType<JsonObject>().ElementAt(1);
        Assert.Equal(("0.01", 4, "0.003"), ((string?)json["a"], (int?)json["aFromRound"], (string?)json["aBefore"]));
        Assert.Equal(("0.01", null, null), ((string?)json["b"], (int?)json["bFromRound"], (string?)json["bBefore"]));
    }

    [Fact]
    public async Task A_long_comparison_fits_a_screen_and_json_has_all_of_it()
    {
        foreach (var run in (RunId[])[Tiny, Other])
            _cluster.Curves.Add(new RunCurve(run, TinySettings.Of("a"), Digest.Of([1]),
                [.. Enumerable.Range(0, 1000).Select(i => new CurvePoint(i, i, i, i % 10 == 0 ? new VersionScore(i, i, i) : null))]));
        var lines = await Lines("run", "compare", ("name", "tiny"), ("name", "other"));
        var texts = lines.Select(l => l.Text).OfType<string>().ToList();
        Assert.Equal(("tiny and other have the same settings and corpus", "20 of 1000 rounds; --json has all"), (texts[0], texts[^1]));
        Assert.Equal(3 + 20, texts.Count);
        Assert.Matches("^ +0 ", texts[2]);
        Assert.Matches("^ +999 ", texts[^2]);
        Assert.Equal(1 + 1000, lines.Count(l => l.Json is not null));
    }

    [Fact]
    public async Task A_short_run_and_a_long_one_are_compared_by_the_rounds_that_both_have_and_then_by_the_rest()
    {
        foreach (var (run, rounds) in ((RunId, int)[])[(Tiny, 16), (Other, 563)])
            _cluster.Curves.Add(new RunCurve(run, TinySettings.Of("a"), Digest.Of([1]),
                [.. Enumerable.Range(0, rounds + 1).Select(i => new CurvePoint(i, i, i, i % 5 == 0 ? new VersionScore(i, i, i) : null))]));
        var texts = (await Lines("run", "compare", ("name", "tiny"), ("name", "other"))).Select(l => l.Text).OfType<string>().ToList();
        var rows = texts[2..^1].ConvertAll(t => t.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("20 of 564 rounds; --json has all", texts[^1]);
        // A row of both has two columns of tokens, and two of losses.
        Assert.Equal([0, 5, 10, 15, 16], rows.Where(r => r.Length > 4).Select(r => int.Parse(r[0])));
        Assert.Equal((15, "20", "563"), (rows.Count(r => r.Length <= 4), rows[5][0], rows[^1][0]));
    }

    [Fact]
    public async Task Comparing_one_run_three_or_one_that_is_not_there_is_refused()
    {
        foreach (var names in (string[][])[["tiny"], ["tiny", "tiny"], ["a", "b", "c"]])
            Assert.Equal("compare takes two runs: pbm run compare -n ONE -n OTHER", (await Assert.ThrowsAsync<SettingsException>(
                () => Lines("run", "compare", [.. names.Select(n => ("name", n))]))).Message);
        Assert.StartsWith("there is no run a; ", (await Assert.ThrowsAsync<NotFoundException>(
            () => Lines("run", "compare", ("name", "a"), ("name", "b")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_cluster_s_tail_begins_with_the_last_ten_goes_on_with_what_comes_and_leaves_out_what_comes_often()
    {
        Observe([.. Enumerable.Range(0, 12).Select(i => new NodeJoined(Worker, i)), new StepLoss(Tiny, Worker, 1, 0, 1, 2, 3)]);
        var seen = new List<string>();
        await foreach (var line in Call("cluster", "tail", TestContext.Current.CancellationToken))
        {
            seen.Add(line.Text!);
            if (seen.Count == 10)
                Observe(new RunFailed(Tiny, "the disk is full"));
            else if (seen.Count == 11)
                break;
        }

        Assert.Equal("12:00:03Z node 10.0.0.1:4053 is here with 2 devices", seen[0]);
        Assert.Equal("12:00:14Z tiny: cannot go on: the disk is full", seen[^1]);
    }

    [Fact]
    public async Task The_cluster_s_tail_of_one_run_shows_nothing_of_others_and_all_shows_its_steps()
    {
        Observe(new NodeJoined(Worker, 1), new RunFailed(Other, "no"), new StepLoss(Tiny, Worker, 1, 0, 7, 2, 3));
        await foreach (var line in Call("cluster", "tail", TestContext.Current.CancellationToken, ("name", "tiny"), ("all", "")))
        {
            Assert.Equal("12:00:03Z tiny: round 1, replica 0, step 7: loss 2.0000", line.Text);
            Assert.Equal(("step", 7), ((string?)line.Json!["observed"], (int)line.Json["step"]!));
            break;
        }

        Assert.Equal("there is no run tyni; see pbm run list", (await Assert.ThrowsAsync<NotFoundException>(
            () => Lines("cluster", "tail", ("name", "tyni")))).Message);
    }

    [Fact]
    public async Task The_log_s_tail_shows_lines_of_a_level_and_above_as_one_line_each()
    {
        foreach (var (severity, text) in new[]
            {
                (LogSeverity.Warning, "old"), (LogSeverity.Warning, "two\nlines \u001b[2J"), (LogSeverity.Info, "fine"),
                (LogSeverity.Error, "bad"),
            })
            _cluster.Log.Add(new LogLine(Noon, severity, text));
        var seen = new List<PbmLine>();
        await foreach (var line in Call("log", "tail", TestContext.Current.CancellationToken, ("level", "warning"), ("count", "2")))
        {
            seen.Add(line);
            if (seen.Count == 2)
                _cluster.Log.Add(new LogLine(Noon, LogSeverity.Error, "new"));
            else if (seen.Count == 3)
                break;
        }

        Assert.Equal(
            ["12:00:00.000Z WARN two\uFFFDlines \uFFFD[2J", "12:00:00.000Z ERRO bad", "12:00:00.000Z ERRO new"], seen.Select(l => l.Text));
        Assert.Equal(("error", "new"), ((string?)seen[^1].Json!["level"], (string?)seen[^1].Json!["text"]));
    }

    [Theory]
    [InlineData("level", "warn", "--level=warn is no level: did you mean warning?")]
    [InlineData("count", "501", "--count=501: use a number from 0 to 500")]
    [InlineData("count", "-1", "--count=-1: use a number from 0 to 500")]
    public async Task A_level_or_a_number_that_is_none_is_refused(string argument, string value, string why) => Assert.StartsWith(
        why, (await Assert.ThrowsAsync<SettingsException>(
            () => Lines("log", "tail", (argument, value)))).Message, StringComparison.Ordinal);

    // A second after the other.
    private void Observe(params Observation[] all)
    {
        foreach (var what in all)
        {
            var (type, id) = (what.GetType(), _cluster.Observed.Count + 1);
            _cluster.Observed.Add(new StoredObservation(
                id, Noon.AddSeconds(id), type.GetCustomAttribute<ObservedAsAttribute>()!.Kind,
                JsonSerializer.Serialize(what, type, Json), what));
        }
    }

    private async Task<List<PbmLine>> Lines(string palette, string command, params (string Argument, string Value)[] values)
    {
        var lines = new List<PbmLine>();
        await foreach (var line in Call(palette, command, TestContext.Current.CancellationToken, values))
            lines.Add(line);
        return lines;
    }

    private IAsyncEnumerable<PbmLine> Call(
        string palette, string command, CancellationToken cancel, params (string Argument, string Value)[] values)
    {
        var found = ControlPalettes.Of(_cluster, TimeProvider.System).Single(p => p.Name == palette)
            .Commands.Single(c => c.Help.Name == command);
        Assert.False(found.Changes);
        return found.Handler(
            PbmCall.Of(found.Help, [.. values.Select(v => new CallValue(v.Argument, v.Value))], new Origin("1", "pbm anna@gpu7", Noon)),
            cancel);
    }
}
