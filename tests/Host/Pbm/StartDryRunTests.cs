using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using static Elastic.Host.Tests.Pbm.PaletteCalls;

namespace Elastic.Host.Tests.Pbm;

/// <summary><c>pbm run start --dry-run</c>, on a cluster of the test's making.</summary>
public sealed class StartDryRunTests
{

    private readonly FakeCluster _cluster = new()
    {
        Runs = [],
        Nodes = [Node("10.0.0.1:4053", 2, 1L << 30), Node("10.0.0.2:4053", 1, 2L << 30)],
    };

    public StartDryRunTests() => _cluster.Preview = (settings, _) => New(settings);

    [Fact]
    public async Task Says_what_the_start_would_do_and_take_and_starts_nothing()
    {
        var lines = await Lines("run.replicas=4", "run.rounds=9");
        var settings = Resolved("run.replicas=4", "run.rounds=9");
        var (two, one) = (Plan(settings, 2, 2), Plan(settings, 1, 1));
        Assert.Equal(PlanLines.Run("tiny", one).Append(""), lines[..3]);
        Assert.Equal("start        a new run, of 9 rounds", lines[3]);
        Assert.Equal("settings     run.replicas = 4 (default 1)", lines[4]);
        Assert.DoesNotContain(lines, l => l.Contains("run.name", StringComparison.Ordinal));
        var text = lines.FindIndex(l => l.StartsWith("text", StringComparison.Ordinal));
        Assert.Equal(
            [
                $"text         corpus {Digest.Of([1]).Short} from 3 files, 2.0 KiB: built; 1000 blocks to train on, 100 held out",
                "             corpus: not read: 2 .pdf",
                "",
                .. Table.Lay(["NODE", "DEVICES", ">REPLICAS", ">DEVICES OF EACH", ">NEEDS", ">FREE"],
                [
                    ["10.0.0.1:4053", "cpu:0-1", "2", "1", Units.Bytes(two.Memory.Bytes), "1.0 GiB"],
                    ["10.0.0.2:4053", "cpu:0", "1", "1", Units.Bytes(one.Memory.Bytes), "2.0 GiB"],
                ]),
                "1 replica of a round waits until these are done: there are more replicas than devices",
                "",
            ],
            lines[text..(text + 8)]);
        Assert.Equal(
            PlanLines.Memory(two, "on 10.0.0.1:4053, with node.zero = 1, node.split = none and node.offload = none").Append("")
                .Concat(PlanLines.Work(two)).Concat(PlanLines.Stages(two, 1L << 30))
                .Append("nothing was stored, and nothing started; without --dry-run the run starts"),
            lines[(text + 8)..]);
        Assert.Null(_cluster.Started);
        Assert.Equal(Asker, _cluster.Asker);
    }

    [Fact]
    public async Task Scripts_get_the_numbers_of_each_node_in_one_object()
    {
        var json = Assert.Single((await All("run.replicas=3")).Select(l => l.Json).OfType<JsonObject>());
        Assert.True((bool)json["starts"]!);
        Assert.Equal(("begins", 0, 1000L), ((string?)json["effect"], (int)json["round"]!, (long)json["blocks"]!));
        var changed = json["settings"]!.AsArray().Single(s => (string?)s!["key"] == "run.replicas")!;
        Assert.Equal((3, true), ((int)changed["value"]!, (bool)changed["partOfAnswer"]!));
        var nodes = json["nodes"]!.AsArray();
        Assert.Equal([2, 1], nodes.Select(n => (int)n!["replicasAtOnce"]!));
        Assert.Equal(Plan(Resolved("run.replicas=3"), 2, 2).Memory.Bytes, (double)nodes[0]!["bytes"]!);
        Assert.All(nodes, n => Assert.True((bool)n!["fits"]!));
    }

    [Fact]
    public async Task A_text_that_is_not_built_yet_and_a_run_that_waits_for_nodes_are_said()
    {
        _cluster.Preview = (settings, _) => New(settings) with { Blocks = null, HeldOutBlocks = 0 };
        // One leaves, one has no device, and one computes other bits than the others.
        _cluster.Nodes = [_cluster.Nodes[0] with { State = "leaving" }, _cluster.Nodes[1] with { Devices = [] }];
        var lines = await Lines();
        Assert.Contains(
            lines, l => l.EndsWith(": the start builds it first; how many blocks it has is known then", StringComparison.Ordinal));
        Assert.Contains("no node with devices is here now: the run would wait for one", lines);
        Assert.DoesNotContain(lines, l => l.StartsWith("memory", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_run_that_exists_goes_on_with_the_nodes_of_its_arithmetic_or_is_made_longer()
    {
        var run = RunState.Empty(new RunId("books-3k9v2mq7")) with { Name = new RunName("books"), Round = 5, Arithmetic = "cpu 2" };
        _cluster.Preview = (settings, _) => New(settings) with { Run = run, Effect = StartEffect.GoesOn };
        _cluster.Nodes = [_cluster.Nodes[0] with { Arithmetic = "1 cuda" }];
        var lines = await Lines();
        Assert.Contains("start        run books-3k9v2mq7 goes on at round 5", lines);
        Assert.Contains("no node with devices that computes by \"cpu 2\" is here now: the run would wait for one", lines);

        _cluster.Preview = (settings, _) =>
            New(settings) with { Run = run, Effect = StartEffect.Changes, Notice = "the run has 9 rounds" };
        lines = await Lines();
        Assert.Contains("start        run books-3k9v2mq7 goes on with other settings at round 5", lines);
        Assert.Contains("             the run has 9 rounds", lines);
    }

    [Fact]
    public async Task A_refusal_comes_last_and_a_run_without_a_round_is_replaced_unless_it_is_at_work()
    {
        var run = RunState.Empty(FakeCluster.Tiny.RunId) with { Name = FakeCluster.Tiny.Name };
        StartEffect effect = StartEffect.GoesOn;
        _cluster.Preview = (settings, _) => New(settings) with { Run = run, Effect = effect, Refusal = "it has other settings" };
        var said = new List<PbmLine>();
        Assert.Equal("it has other settings", (await Assert.ThrowsAsync<ElasticException>(() => All(said))).Message);
        Assert.Contains(said, l => l.Text == $"start        refused: run {run.Id} stays as it is");
        Assert.False((bool)said[0].Json!["starts"]!);

        effect = StartEffect.BeginsAnew;
        Assert.Contains(
            await Lines(), l => l.EndsWith($", in place of run {run.Id}, which has committed no round", StringComparison.Ordinal));
        _cluster.Runs = [FakeCluster.Tiny];
        Assert.Equal(
            "it has other settings; or stop it: until it has committed a round, its name can be used anew",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines())).Message);

        _cluster.Preview = (settings, _) =>
            New(settings) with { Blocks = 1L << 50, Refusal = "it has more rounds than can be counted" };
        said.Clear();
        await Assert.ThrowsAsync<ElasticException>(() => All(said, "run.epochs=1000000"));
        Assert.Contains(said, l => l.Text == "start        refused: no run begins");
    }

    [Fact]
    public async Task A_node_s_own_settings_decide_what_it_needs()
    {
        _cluster.Nodes =
        [
            Node("10.0.0.1:4053", 2, 1L << 30) with { Sharing = new ReplicaSharing(2, "none", OffloadMode.File, 3) },
            Node("10.0.0.2:4053", 2, 2L << 30) with { Sharing = new ReplicaSharing(1, "tensor:2", OffloadMode.None, 1) },
        ];
        var settings = Resolved("run.replicas=2");
        var one = settings with { Run = settings.Run with { Replicas = 1 } };
        var (files, shared) = (
            TrainingPlan.OfAll(one, 2, 3, zero: 2, OffloadMode.File), TrainingPlan.OfAll(one, 2, 1, split: ReplicaSplit.Parse("tensor:2")));
        Assert.NotEqual(files.Memory.Bytes, shared.Memory.Bytes);
        var all = await All("run.replicas=2");
        var nodes = all.Select(l => l.Json).OfType<JsonObject>().Single()["nodes"]!.AsArray();
        Assert.Equal([files.Memory.Bytes, shared.Memory.Bytes], nodes.Select(n => (double)n!["bytes"]!));
        Assert.Equal([(2, "file", "none"), (1, "none", "tensor:2")], nodes.Select(n => (
            (int)n!["zero"]!, (string)n["offload"]!, (string)n["split"]!)));
        Assert.Contains(all, l => l.Text?.EndsWith(files.Memory.Bytes > shared.Memory.Bytes
            ? "on 10.0.0.1:4053, with node.zero = 2, node.split = none and node.offload = file"
            : "on 10.0.0.2:4053, with node.zero = 1, node.split = tensor:2 and node.offload = none", StringComparison.Ordinal) == true);
    }

    [Theory]
    [InlineData(3, "none", OffloadMode.None, 1)]
    [InlineData(1, "tensor:3", OffloadMode.None, 1)]
    [InlineData(1, "none", (OffloadMode)7, 1)]
    [InlineData(1, "none", OffloadMode.File, -1)]
    public void What_a_node_says_of_its_settings_counts_if_it_makes_sense(int zero, string split, OffloadMode offload, int threads)
    {
        Assert.Equal(ReplicaSharing.Usual, ReplicaSharing.Checked(new(zero, split, offload, threads)));
        var sound = new ReplicaSharing(2, "tensor:2, pipeline:2", OffloadMode.File, 4);
        Assert.Equal((sound, ReplicaSharing.Usual), (ReplicaSharing.Checked(sound), ReplicaSharing.Checked(null)));
    }

    [Fact]
    public async Task Where_no_node_has_the_memory_the_remedies_are_told()
    {
        _cluster.Nodes = [Node("10.0.0.1:4053", 2, 1000), Node("10.0.0.2:4053", 1, 2L << 30)];
        var lines = await Lines("run.replicas=2");
        Assert.Contains(lines, l => l.StartsWith("10.0.0.1:4053: training needs ", StringComparison.Ordinal));
        _cluster.Nodes = [_cluster.Nodes[0]];
        Assert.Matches(
            @"^no node has the memory; 10\.0\.0\.1:4053: training needs .*, and 1000 B are free \(",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines())).Message);
    }

    [Fact]
    public async Task Devices_beyond_the_micro_batches_are_said_and_those_of_a_GPU_are_not_planned()
    {
        _cluster.Nodes = [Node("10.0.0.1:4053", 3, 1L << 30)];
        Assert.Contains(
            await Lines(), l => l.StartsWith("10.0.0.1:4053: 1 of 3 devices lends its threads to the others: ", StringComparison.Ordinal));
        _cluster.Nodes = [_cluster.Nodes[0] with { Devices = ["cuda:0"] }];
        Assert.Contains("10.0.0.1:4053: the memory of cuda:0 is libtorch's to allocate, and not known before", await Lines());
    }

    private static NodeView Node(string address, int devices, long free) => Views.Node(address, $"n{address[7]}-8h2m4xyq") with
    {
        Devices = [.. Enumerable.Range(0, devices).Select(i => $"cpu:{i}")],
        Arithmetic = "cpu 2",
        FreeMemoryBytes = free,
    };

    private static TrainingSettings Resolved(params string[] sets)
    {
        var settings = ConfigurationLoader.Load(new(["tiny"], sets)).Training;
        return settings with { Model = settings.Model with { Vocabulary = 257 }, Run = settings.Run with { Name = "books" } };
    }

    private static TrainingPlan Plan(TrainingSettings settings, int replicas, int devices) =>
        TrainingPlan.OfAll(settings with { Run = settings.Run with { Replicas = replicas } }, devices, 1);

    private static StartPreview New(TrainingSettings settings) => new()
    {
        Settings = settings with { Model = settings.Model with { Vocabulary = 257 } },
        Run = null,
        Effect = StartEffect.Begins,
        Refusal = null,
        Notice = null,
        Corpus = Digest.Of([1]),
        Blocks = 1000,
        HeldOutBlocks = 100,
        Files = 3,
        Bytes = 2048,
        PassedOver = ["corpus: not read: 2 .pdf"],
    };

    private async Task<List<string>> Lines(params string[] sets) => [.. (await All(sets)).Select(l => l.Text).OfType<string>()];

    private async Task<List<PbmLine>> All(params string[] sets)
    {
        var lines = new List<PbmLine>();
        await All(lines, sets);
        return lines;
    }

    private async Task All(List<PbmLine> lines, params string[] sets)
    {
        IEnumerable<(string, string)> values = [("name", "books"), ("dry-run", ""), .. sets.Select(s => ("set", s))];
        await foreach (var line in _cluster.Command("run start").Call(TestContext.Current.CancellationToken, values))
            lines.Add(line);
    }
}
