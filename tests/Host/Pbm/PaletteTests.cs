using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The palettes on a cluster of the test's making, without a network.</summary>
public sealed class PaletteTests
{
    private static readonly Origin Asker = new("1", "pbm anna@gpu7", DateTimeOffset.UnixEpoch);

    private readonly FakeCluster _cluster = new();

    [Fact]
    public void Names_are_unique_lower_case_and_none_of_pbm_s_own()
    {
        var palettes = ControlPalettes.Of(_cluster, TimeProvider.System);
        AssertNames(palettes.Select(p => p.Name));
        foreach (var palette in palettes)
        {
            AssertNames(palette.Commands.Select(c => c.Help.Name));
            foreach (var command in palette.Commands.Select(c => c.Help))
            {
                AssertNames(command.Arguments.Select(a => a.Long));
                AssertNames(command.Arguments.Select(a => a.Short));
                Assert.All(command.Arguments, a => Assert.Equal(1, a.Short.Length));
                Assert.All(command.Arguments, a => Assert.True(
                    a is { Kind: ArgumentKind.Flag, ValueName: "" } or { Kind: not ArgumentKind.Flag, ValueName.Length: > 0 }));
                Assert.EndsWith(".", command.Description, StringComparison.Ordinal);
                Assert.All(command.Examples.Split('\n'), l => Assert.InRange(l.Length, 0, Table.Width - 2));
            }
        }

        static void AssertNames(IEnumerable<string> names)
        {
            var all = names.ToList();
            Assert.Equal(all.Count, all.Distinct().Count());
            Assert.All(all, n => Assert.Matches("^[a-z][a-z-]*$", n));
            Assert.DoesNotContain(all, n => n is "h" or "help" or "json" or "version" or "exit" or "quit");
        }
    }

    [Theory]
    [InlineData("status")]
    [InlineData("watch")]
    public async Task Without_a_name_and_with_several_runs_a_command_lists_them(string command)
    {
        _cluster.Runs = [FakeCluster.Tiny, FakeCluster.Tiny with { Name = new("large") }];
        var refusal = await Assert.ThrowsAsync<SettingsException>(() => Lines("run", command));
        Assert.Equal($"there are 2 runs (large, tiny): name one, e.g. pbm run {command} -n large", refusal.Message);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("watch")]
    [InlineData("stop")]
    [InlineData("delete")]
    public async Task A_run_that_does_not_exist_is_answered_with_the_nearest_that_does(string command)
    {
        _cluster.Runs = [FakeCluster.Tiny, FakeCluster.Tiny with { Name = new("large") }];
        var refusal = await Assert.ThrowsAsync<NotFoundException>(() => Lines("run", command, new CallValue("name", "tyni")));
        Assert.StartsWith("there is no run tyni: did you mean tiny?", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((null, null), (_cluster.Stopped, _cluster.Deleted));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("watch")]
    public async Task Where_there_are_no_runs_the_way_to_one_is_told(string command)
    {
        _cluster.Runs = [];
        Assert.StartsWith(
            "no runs yet: start one with pbm run start",
            (await Assert.ThrowsAsync<NotFoundException>(() => Lines("run", command))).Message, StringComparison.Ordinal);
        Assert.Equal("no runs yet: start one with pbm run start -n NAME", Assert.Single(await Lines("run", "list")).Text);
    }

    [Fact]
    public async Task The_list_has_a_line_per_run_in_the_order_of_their_names()
    {
        _cluster.Runs =
        [
            FakeCluster.Tiny,
            FakeCluster.Tiny with
            {
                Name = new("books"), Phase = RunPhase.Waiting, TrainLoss = null, ValLoss = null,
                TokensPerSecond = 0, Round = 0, Steps = 0, Devices = 0
            },
            FakeCluster.Tiny with { Name = new("z"), Failure = "the disk is full" },
        ];
        Assert.Equal(
            [
                "RUN    PHASE      ROUND    LOSS     VAL  TOKENS/S    LEFT  DEVICES  PRIORITY  PLACE",
                "books  waiting     0/40                                        0/0         0      1",
                "tiny   computing   5/40  2.3457  2.2871     12.3k  1m 56s      0/2         0      1",
                "z      failed      5/40  2.3457  2.2871     12.3k  1m 56s      0/2         0",
            ],
            Texts(await Lines("run", "list")));
        Assert.Equal(["books", "tiny", "z"], Objects(await Lines("run", "list")).Select(o => (string)o["run"]!));
    }

    [Fact]
    public async Task The_status_shows_all_that_is_known_and_leaves_out_the_rest()
    {
        Assert.Equal(
            [
                "run           tiny",
                "id            tiny-3k9v2mq7",
                "phase         computing",
                "round         5/40",
                "step          100/800",
                "tokens        205k of 1.64M, 1.60k samples",
                "speed         12.3k tokens/s, 1m 56s left",
                "train loss    2.3457 nats per token",
                "val loss      2.2871 nats per token, 3.300 bits per byte",
                $"fingerprint   {Digest.Of([]).Hex}",
                "checkpoint    /data/runs/tiny-3k9v2mq7/checkpoints/round-000005.json",
                "nodes         1, with 2 devices",
            ],
            Texts(await Lines("run", "status")));
        _cluster.Runs = [FakeCluster.Tiny with { Failure = "the disk is full", ValLoss = null, Checkpoint = null, TokensPerSecond = 0 }];
        var failed = Texts(await Lines("run", "status", new CallValue("name", "tiny")));
        Assert.Contains("failure       the disk is full", failed);
        Assert.DoesNotContain(
            failed, l => l.StartsWith("val loss", StringComparison.Ordinal) || l.StartsWith("speed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_json_of_the_status_has_exactly_the_keys_of_elastic_train() => Assert.Equal(
        ["run", "runId", "phase", "round", "rounds", "steps", "tokens", "samples", "trainLoss", "valLoss", "bitsPerByte", "valSources",
            "valLanguages", "scoredRound", "bestRound", "bestLoss", "tokensPerSecond", "learningRate", "lossScale", "skippedSteps",
            "fingerprint", "segments",
            "checkpoint", "checkpointVersion", "priority", "nodes", "devices", "resting",
            "waitsFor", "endedEarly", "notice", "failure"],
        Assert.Single(Objects(await Lines("run", "status"))).Select(p => p.Key));

    [Fact]
    public async Task A_watch_shows_each_round_and_ends_well_with_the_run()
    {
        _cluster.Views =
        [
            FakeCluster.Tiny, FakeCluster.Tiny with { Steps = 101 },
            FakeCluster.Tiny with { Round = 6, Notice = "checkpoint 5 was damaged" },
            FakeCluster.Tiny with { Round = 6, Steps = 121, Notice = "checkpoint 5 was damaged" },
            FakeCluster.Tiny with { Round = 40, Phase = RunPhase.Finished },
        ];
        var lines = await Lines("run", "watch");
        Assert.Equal(
            ["round  5", "checkpoi", "round  6", "round 40", "run tiny"],
            Texts(lines).Select(l => l[..8]));
        Assert.Equal("finished", (string?)Objects(lines).Last()["phase"]);
        Assert.EndsWith($"is finished: fingerprint {Digest.Of([]).Hex}", lines[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_of_a_run_that_does_not_finish_fails_and_says_why()
    {
        _cluster.Views = [FakeCluster.Tiny, FakeCluster.Tiny with { Failure = "the disk is full" }];
        Assert.Equal("run tiny: the disk is full", (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "watch"))).Message);
        _cluster.Views = [FakeCluster.Tiny, FakeCluster.Tiny with { Phase = RunPhase.Stopped }];
        Assert.StartsWith(
            "run tiny was stopped at round 5/40",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "watch"))).Message, StringComparison.Ordinal);
        _cluster.Views = [FakeCluster.Tiny];
        Assert.Contains(
            "lost from sight", (await Assert.ThrowsAsync<UnavailableException>(() => Lines("run", "watch"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_names_the_run_that_stops_and_a_refusal_says_why_not()
    {
        Assert.StartsWith(
            "run tiny stops at its next step",
            Assert.Single(await Lines("run", "stop", new CallValue("name", "tiny"))).Text, StringComparison.Ordinal);
        Assert.Equal((new RunName("tiny"), Asker), (_cluster.Stopped, _cluster.Asker));
        _cluster.Refusal = "run tiny is finished";
        Assert.Equal(
            "run tiny is finished",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "stop", new CallValue("name", "tiny")))).Message);
    }

    [Fact]
    public async Task A_run_that_is_stopped_must_be_named() =>
        Assert.Contains(
            "stop needs --name",
            (await Assert.ThrowsAsync<SettingsException>(() => Lines("run", "stop"))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_start_says_how_far_the_corpus_is_and_hands_over_the_settings_of_all_layers()
    {
        _cluster.Progress = ["corpus: 10 documents", "corpus: 20 documents"];
        var lines = await Lines("run", "start",
            new CallValue("config", "tiny"), new CallValue("config", "mine.conf", "run { rounds = 7, seed = 1 }"),
            new CallValue("corpus", "/data/a"), new CallValue("corpus", "/data/b"), new CallValue("name", "books"),
            new CallValue("set", "run.seed=3"), new CallValue("set", "run.seed=4"));
        Assert.Equal(
            ["corpus: 10 documents", "corpus: 20 documents", "started run books; see it go: pbm run watch -n books"], Texts(lines));
        Assert.All(Objects(lines), o => Assert.Equal("books", (string?)o["run"]));
        Assert.Equal(("books", 7, 4UL), (_cluster.Started!.Run.Name, _cluster.Started.Run.Rounds!.Value, _cluster.Started.Run.Seed));
        Assert.Equal(["/data/a", "/data/b"], _cluster.Started.Corpus.Sources);
        Assert.Equal(Asker, _cluster.Asker);
    }

    [Fact]
    public async Task A_start_of_a_finished_run_does_not_say_that_it_has_started()
    {
        _cluster.IsFinished = true;
        _cluster.Remembered = new RememberedRun(new RunId("books-3k9v2mq7"), Testing.TinySettings.Of("books"), Digest.Of([1]));
        var lines = await Lines("run", "start", new CallValue("name", "books"));
        Assert.Equal(["run books is finished already; more rounds begin with pbm run start -n books -s run.rounds=NUMBER"], Texts(lines));
        Assert.Equal((false, true), ((bool)Objects(lines).Single()["started"]!, (bool)Objects(lines).Single()["finished"]!));
        Assert.Equal(
            [
                "run books is finished already, and checkpoint.keep is set; more rounds begin with pbm run start -n books -s "
                    + "run.rounds=NUMBER",
            ],
            Texts(await Lines("run", "start", new CallValue("name", "books"), new CallValue("set", "checkpoint.keep=5"))));
    }

    [Fact]
    public async Task A_start_with_nothing_but_the_name_goes_on_with_all_that_the_run_was_started_with()
    {
        var settings = Testing.TinySettings.Of("books", replicas: 3);
        settings = settings with { Corpus = settings.Corpus with { Sources = ["/data/a"] } };
        _cluster.Remembered = new RememberedRun(new RunId("books-3k9v2mq7"), settings, Digest.Of([1]));
        await Lines("run", "start", new CallValue("name", "books"));
        Assert.Equal(SettingsText.Write(settings), SettingsText.Write(_cluster.Started!));
        Assert.Equal(Digest.Of([1]), _cluster.Corpus);

        _cluster.Notice = "the run has 9 rounds from now on";
        var lines = await Lines("run", "start", new CallValue("name", "books"), new CallValue("set", "run.rounds=9"));
        Assert.Equal(["run.rounds: 4 -> 9"], SettingsDifference.Between(settings, _cluster.Started!));
        Assert.Equal(["the run has 9 rounds from now on", "started run books; see it go: pbm run watch -n books"], Texts(lines));

        await Lines("run", "start", new CallValue("name", "books"), new CallValue("corpus", "/data/b"));
        Assert.Null(_cluster.Corpus);
        Assert.Equal(["/data/b"], _cluster.Started!.Corpus.Sources);
    }

    [Fact]
    public async Task A_run_is_deleted_by_its_name_or_the_refusal_is_said()
    {
        Assert.Equal(
            "deleted run tiny; nodes that are here remove their files of it",
            Texts(await Lines("run", "delete", new CallValue("name", "tiny"))).First());
        Assert.Equal((new RunName("tiny"), Asker), (_cluster.Deleted, _cluster.Asker));
        _cluster.Refusal = "run tiny is at work";
        Assert.Equal(
            "run tiny is at work",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "delete", new CallValue("name", "tiny")))).Message);
    }

    [Fact]
    public async Task A_start_that_is_refused_says_why()
    {
        _cluster.Refusal = "run tiny has other settings";
        Assert.Equal(
            "run tiny has other settings",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "start", new CallValue("name", "tiny")))).Message);
    }

    [Theory]
    [InlineData("mine.conf", "run { rouds = 7 }", "unknown key run.rouds (mine.conf, line 1): did you mean run.rounds?")]
    [InlineData("mine.conf", "node { devices = auto }", "node.devices (mine.conf, line 1): it belongs to a node, not to a run")]
    [InlineData("/etc/passwd", null, "there is no preset /etc/passwd")]
    [InlineData("../reference", null, "there is no preset ../reference")]
    public async Task A_configuration_that_a_run_cannot_have_is_refused(string config, string? text, string problem)
    {
        var refusal = await Assert.ThrowsAsync<SettingsException>(() =>
            Lines("run", "start", new CallValue("name", "a"), new CallValue("config", config, text)));
        Assert.StartsWith(problem, refusal.Message, StringComparison.Ordinal);
        Assert.Null(_cluster.Started);
    }

    [Theory]
    [InlineData("a/b", "run.name = \"a/b\"")]
    [InlineData("..", "run.name = \"..\"")]
    public async Task A_name_that_could_lead_elsewhere_is_refused(string name, string problem) => Assert.StartsWith(problem,
        (await Assert.ThrowsAsync<SettingsException>(() => Lines("run", "start", new CallValue("name", name)))).Message,
        StringComparison.Ordinal);

    [Fact]
    public async Task Nodes_are_listed_with_what_they_have_and_do()
    {
        _cluster.Nodes =
        [
            new()
            {
                Node = new("a-3k9v2mq7"), Address = "10.0.0.2:4053", Seed = false, Devices = ["cuda:0", "cuda:1", "cuda:2", "cuda:3"],
                Endpoint = "10.0.0.2:4080", Version = "0.1.0", State = "suspected", Work = [], Arithmetic = "1 cuda",
            },
            new()
            {
                Node = new("z-8h2m4xyq"), Address = "10.0.0.1:4053", Seed = true, Devices = ["cpu:0", "cpu:1"],
                Endpoint = "10.0.0.1:4080", Version = "0.1.0", State = "up",
                Work = ["tiny-3k9v2mq7 compute 5 replica 0", "tiny-3k9v2mq7 compute 5 replica 1"],
                Arithmetic = "1 cpu AuthenticAMD AVX512 x 1 thread",
            },
        ];
        var lines = await Lines("node", "list");
        Assert.Equal(
            [
                "NODE           STATE      ROLE    DEVICES   VERSION  ARITHMETIC              WORK",
                "10.0.0.1:4053  up         seed    cpu:0-1   0.1.0    1 cpu AuthenticAMD AV…  tiny-3k9v2mq7 compute …",
                "10.0.0.2:4053  suspected  worker  cuda:0-3  0.1.0    1 cuda",
            ],
            Texts(lines));
        Assert.Equal(("10.0.0.1:4053", "z-8h2m4xyq", "10.0.0.1:4080"),
            Objects(lines).First() is var first ? ((string?)first["node"], (string?)first["nodeId"], (string?)first["endpoint"]) : default);
        Assert.Equal(4, Objects(lines).Last()["devices"]!.AsArray().Count);
    }

    [Fact]
    public async Task Certificates_that_expire_within_a_week_are_told_with_the_nodes_and_with_the_cluster()
    {
        NodeView Node(string address, double days) => new()
        {
            Node = new($"n{address[0]}"),
            Address = address,
            Seed = false,
            Devices = [],
            Endpoint = "",
            Version = "0.1.0",
            State = "up",
            Work = [],
            Arithmetic = "",
            CertificateExpires = days == 0 ? 0 : DateTimeOffset.UtcNow.AddDays(days).ToUnixTimeSeconds(),
        };
        _cluster.Nodes = [Node("1:1", 90), Node("2:1", 6.5), Node("3:1", 0), Node("4:1", -1)];
        _cluster.Nodes[2] = _cluster.Nodes[2] with { CertificateExpires = long.MaxValue };
        _cluster.Cluster = new([], Leader: "1:1", Supervisor: "1:1", Security: "");
        foreach (var lines in new[] { await Lines("node", "list"), await Lines("cluster", "show") })
        {
            var texts = Texts(lines)[^2..];
            Assert.StartsWith("the certificate of 4:1 (n4) expired on ", texts[0], StringComparison.Ordinal);
            Assert.StartsWith("the certificate of 2:1 (n2) expires in 6 days (", texts[1], StringComparison.Ordinal);
            Assert.EndsWith("on its machine, elastic certs renew --seed HOST:PORT, while the process runs (without --seed where the "
                + "authority's key is)", texts[1], StringComparison.Ordinal);
        }

        Assert.Equal(2, Objects(await Lines("cluster", "show")).Single()["warnings"]!.AsArray().Count);
        _cluster.Cluster = _cluster.Cluster with { Supervisor = null };
        Assert.DoesNotContain(Texts(await Lines("cluster", "show")), t => t.Contains("certificate", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_there_are_no_nodes_the_way_to_one_is_told() =>
        Assert.StartsWith(
            "no nodes yet: start one with elastic worker", Assert.Single(await Lines("node", "list")).Text, StringComparison.Ordinal);

    [Fact]
    public async Task The_cluster_shows_who_leads_and_who_supervises()
    {
        _cluster.Cluster = new(
            [new("10.0.0.2:4053", ["worker"], "Up", Reachable: false), new("10.0.0.1:4053", ["seed", "worker"], "Up", Reachable: true)],
            Leader: "10.0.0.1:4053", Supervisor: null, Security: "mutual TLS as seed s1");
        var lines = await Lines("cluster", "show");
        Assert.Equal(
            [
                "ADDRESS        ROLES         STATUS  REACHABLE  OFFICE",
                "10.0.0.1:4053  seed, worker  up      yes        leader",
                "10.0.0.2:4053  worker        up      no",
                "mutual TLS as seed s1",
                "no supervisor at the moment: it is moving; the nodes go on computing meanwhile",
            ],
            Texts(lines));
        var json = Assert.Single(Objects(lines));
        Assert.Equal("mutual TLS as seed s1", (string?)json["security"]);
        Assert.Equal("10.0.0.1:4053", (string?)json["leader"]);
        Assert.Null(json["supervisor"]);
        Assert.Equal(2, json["members"]!.AsArray().Count);
    }

    private static List<string> Texts(IEnumerable<PbmLine> lines) => [.. lines.Select(l => l.Text).OfType<string>()];

    private static List<JsonObject> Objects(IEnumerable<PbmLine> lines) => [.. lines.Select(l => l.Json).OfType<JsonObject>()];

    private async Task<List<PbmLine>> Lines(string palette, string command, params CallValue[] values)
    {
        var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;
        var found = ControlPalettes.Of(_cluster, new HandClock())
            .Single(p => p.Name == palette)
            .Commands.Single(c => c.Help.Name == command);
        var lines = new List<PbmLine>();
        await foreach (var line in found.Handler(PbmCall.Of(found.Help, values, Asker), deadline))
            lines.Add(line);
        return lines;
    }
}
