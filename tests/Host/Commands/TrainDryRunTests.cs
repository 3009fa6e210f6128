using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Model.Training;

namespace Elastic.Host.Tests.Commands;

public sealed class TrainDryRunTests
{
    private readonly StringWriter _output = new(), _error = new();
    private readonly string _data = Path.Combine(Path.GetTempPath(), $"elastic-dry-{Guid.NewGuid():N}");

    [Fact]
    public async Task Says_each_part_of_the_plan_and_stores_nothing()
    {
        Assert.Equal(0, await Run("--devices", "cpu:2"));
        Assert.False(Directory.Exists(_data));
        var lines = _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("run tiny   config tiny   gpt2 4x128 heads 4 context 128 vocabulary 257", lines[0].TrimEnd());
        Assert.StartsWith(
            "a step   16 x 128 tokens in 2 micro-batches, 1 at a time   fp32   recompute none", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("here     1 replica at once, on 2 devices of 1 thread each", lines[2], StringComparison.Ordinal);
        foreach (var part in new[] { "parameters", "working copy", "master", "moments", "gradients", "activations", "logits", "scratch" })
            Assert.Contains(lines, l => l.StartsWith($"  {part} ", StringComparison.Ordinal));
        Assert.Contains("of gradients from a device to the others of its replica", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("floating-point operations of a device", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_parts_in_json_add_up_to_what_training_refuses_by()
    {
        Assert.Equal(0, await Run("--json", "--devices", "cpu:1"));
        var json = JsonNode.Parse(_output.ToString())!.AsObject();
        Assert.True((bool)json["fits"]!);
        var settings = ConfigurationLoader.Load(new(["tiny"], [])).Training;
        var plan = TrainingPlan.OfAll(settings with { Model = settings.Model with { Vocabulary = 257 } }, 1, 1);
        Assert.Equal(plan.Memory.Bytes, json["bytesOfDevice"]!.AsObject().Sum(p => (double)p.Value!), 1.0);
        Assert.Equal(plan.Memory.Bytes, (double)json["bytes"]!);
        Assert.Equal(0, (double)json["sentBytesOfStep"]!);
        Assert.Equal(2 * (double)json["contributionBytes"]!, (double)json["innerStateBytes"]!);
    }

    [Fact]
    public async Task What_cannot_fit_ends_with_1_and_says_what_helps_in_json_too()
    {
        string[] large = ["--set", "model.width=65536", "--set", "model.heads=256", "--set", "model.layers=4", "--devices", "cpu:1"];
        Assert.Equal(1, await Run([.. large, "--json"]));
        var json = JsonNode.Parse(_output.ToString())!;
        Assert.False((bool)json["fits"]!);
        Assert.Equal(1, (int)json["exitCode"]!);
        Assert.StartsWith("training needs ", (string?)json["error"], StringComparison.Ordinal);
        Assert.StartsWith("error: training needs ", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("lower model.width (65536)", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none", 2, "node.devices = none: elastic train computes in its own process; leave --devices out, or use cpu:N")]
    [InlineData("cpu:1,1", 1, "node.devices names device 1 twice: name each once")]
    [InlineData(
        "cuda:7", 1, "node.devices names cuda:7, but this program was built without devices of this kind; it knows cpu, held: build it ")]
    public async Task Devices_that_training_cannot_have_are_refused(string devices, int exitCode, string why)
    {
        Assert.Equal(exitCode, await Run("--devices", devices));
        Assert.Contains($"error: {why}", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_data));
    }

    [Fact]
    public async Task Stages_on_several_nodes_are_listed_with_what_the_largest_takes_which_has_to_fit()
    {
        Assert.Equal(0, await Run("--devices", "cpu:1", "--set", "run.stages=3"));
        var lines = _output.ToString().Split('\n').Select(l => l.TrimEnd()).ToList();
        var table = lines.FindIndex(l => l.StartsWith("run.stages, each on a node ", StringComparison.Ordinal));
        Assert.Equal(["2", "3", "4"], lines[(table + 1)..(table + 4)].Select(l => l[..28].Trim()));

        _output.GetStringBuilder().Clear();
        Assert.Equal(0, await Run("--devices", "cpu:1", "--json"));
        var json = JsonNode.Parse(_output.ToString())!;
        var bytes = json["stages"]!.AsArray().Select(s => (double)s!["bytes"]!).ToList();
        Assert.Equal(2, bytes.Count);
        Assert.True((double)json["bytes"]! > bytes[0] && bytes[0] > bytes[1]);

        Assert.Equal(1, await Run("--devices", "cpu:1", "--set", "run.stages=7"));
        Assert.Contains(
            "run.stages = 7: this model can be cut into 6 stages at most; use run.stages = 6 or fewer", _error.ToString(),
            StringComparison.Ordinal);
        string[] large = ["--set", "model.width=65536", "--set", "model.heads=256", "--set", "model.layers=4", "--devices", "cpu:1"];
        Assert.Equal(1, await Run([.. large, "--set", "run.stages=2"]));
        Assert.Contains(" of 2 needs ", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_splits_of_several_devices_are_listed_with_what_each_takes_and_one_to_use()
    {
        string[] four = ["--devices", "cpu:4", "--set", "node.split=pipeline:4", "--set", "batch.micro=2"];
        Assert.Equal(0, await Run(four));
        var lines = _output.ToString().Split('\n').Select(l => l.TrimEnd()).ToList();
        Assert.Contains("here     1 replica at once, on 4 devices of 1 thread each, in pipelines of 4 stages", lines);
        Assert.Contains(
            lines, l => l.EndsWith("of activations and their gradients to its neighbours in the pipeline", StringComparison.Ordinal));
        var table = lines.FindIndex(l => l.StartsWith("node.split ", StringComparison.Ordinal));
        Assert.Equal(
            ["none", "pipeline:2", "pipeline:4", "tensor:2", "tensor:4", "tensor:2, pipeline:2", "pipeline:2x2"],
            lines[(table + 1)..(table + 8)].Select(l => l[..28].Trim()));
        Assert.EndsWith(" is the one to use: of those that fit, its step takes the least time", lines[table + 8], StringComparison.Ordinal);

        _output.GetStringBuilder().Clear();
        Assert.Equal(0, await Run([.. four, "--json"]));
        var json = JsonNode.Parse(_output.ToString())!;
        Assert.Equal("pipeline:4", (string?)json["split"]);
        Assert.StartsWith($"  {json["recommendedSplit"]} is the one to use", lines[table + 8], StringComparison.Ordinal);
        Assert.Equal(3.0 / 11, (double)json["splits"]![2]!["bubble"]!, 1e-12);
        Assert.Equal((double)json["bytes"]!, (double)json["splits"]![2]!["bytes"]!);
    }

    [Fact]
    public async Task A_pipeline_of_groups_is_planned_as_it_is_used()
    {
        Assert.Equal(0, await Run("--devices", "cpu:4", "--set", "node.split=\"tensor:2, pipeline:2\""));
        var text = _output.ToString();
        Assert.Contains(", in pipelines of 2 stages, each on 2 devices that share its layers", text, StringComparison.Ordinal);
        Assert.Contains("to its neighbours in the pipeline and the others of its tensor group", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_stages_than_devices_are_as_many_as_there_are()
    {
        Assert.Equal(0, await Run("--devices", "cpu:2", "--set", "node.split=pipeline:4"));
        Assert.Contains(
            "a pipeline of 2 stages in place of node.split = pipeline:4: the replica has 2 devices", _output.ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_of_several_replicas_count_each()
    {
        var settings = ConfigurationLoader.Load(new(["tiny"], ["run.replicas=3"])).Training;
        var plan = TrainingPlan.OfAll(settings with { Model = settings.Model with { Vocabulary = 257 } }, 3, 1);
        var all = PlanLines.Of("tiny", plan, new MachineMemory(4L << 30, 1L << 30))
            .Single(l => l.StartsWith("  all ", StringComparison.Ordinal));
        Assert.EndsWith($"{Units.Bytes(3 * plan.BytesOfDevice)}   1.0 GiB are free of 4.0 GiB", all, StringComparison.Ordinal);
    }

    private Task<int> Run(params string[] args) =>
        ElasticCommandLine.RunAsync(["train", "--dry-run", "--data-dir", _data, .. args], _output, _error);
}
