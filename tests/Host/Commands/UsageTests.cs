using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Commands;

/// <summary>What a command line that is wrong gets: exit code 2, everything at once, and what to write instead.</summary>
public sealed class UsageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();

    private string DataDir => Path.Combine(_folder, "data");

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("worker", "--seed", "10.0.0.5")]
    [InlineData("worker", "--seed", "0.0.0.0:4053")]
    [InlineData("worker", "--seed", "127.0.0.1:1", "--devices", "gpu")]
    [InlineData("worker", "--seed", "127.0.0.1:1", "--devices", "cpu:0")]
    [InlineData("worker", "--seed", "127.0.0.1:1", "--devices", "cpu:1025")]
    [InlineData("worker", "--seed", "127.0.0.1:1", "--network", "wan")]
    [InlineData("seed", "--database", "mysql://a")]
    [InlineData("seed", "--database", "postgres://a")]
    [InlineData("seed", "--host", "0.0.0.0")]
    [InlineData("seed", "--host", "[::]")]
    [InlineData("seed", "--set", "run.seed=1")]
    [InlineData("train", "--devices", "none")]
    [InlineData("serve", "--run", "a", "--devices", "bogus")]
    [InlineData("serve", "--run", "a", "--devices", "cpu:0")]
    [InlineData("train", "--set", "run.stages=2")]
    [InlineData("train", "--set", "run.needs=big", "--set", "node.labels=small")]
    [InlineData("train", "--config", "/proc/self/mem")]
    [InlineData("train", "--set", "node.database=foo")]
    [InlineData("seed", "--set", "node.public-url=https://lm.example:70000")]
    [InlineData("seed", "--set", "node.public-url=https://../")]
    public async Task A_wrong_value_is_wrong_usage_and_starts_nothing(params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run([.. args, "--data-dir", DataDir]));
        Assert.StartsWith("error: ", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(DataDir));
    }

    [Theory]
    [InlineData("30 run.stages=2", "changes.txt, round 30: run.stages = 2 needs 2 nodes, and elastic train is one")]
    [InlineData("30 run.rounds=90\n40 run.needs=big", "changes.txt, round 40: run.needs = \"big\": elastic train is one node")]
    public async Task A_change_in_mid_run_that_one_process_would_wait_with_for_ever_is_wrong_usage(string changes, string why)
    {
        var file = Path.Combine(_folder, "changes.txt");
        await File.WriteAllTextAsync(file, changes);
        Assert.Equal(ExitCodes.WrongUsage, await Run("train", "--changes", file, "--data-dir", DataDir));
        Assert.Contains(why, _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(DataDir));
    }

    [Fact]
    public async Task An_audit_with_a_wrong_database_is_wrong_usage() => Assert.Equal(
        ExitCodes.WrongUsage, await Run("corpus", "audit", "--run", "a", "--database", "mysql://a", "--data-dir", DataDir));

    [Fact]
    public async Task Everything_that_is_wrong_with_a_node_s_command_line_is_told_at_once()
    {
        await Run("worker", "--seed", "10.0.0.5", "--seed", "[::1", "--devices", "gpu", "--network", "wan", "--set", "a=b", "--host", "::");
        var lines = _error.ToString().TrimEnd().Split('\n');
        Assert.Equal(6, lines.Length);
        Assert.Contains(lines, l => l.Contains("\"gpu\"", StringComparison.Ordinal) && l.EndsWith("(--devices)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Serve_tells_wrong_devices_as_other_commands_do_and_with_the_rest()
    {
        await Run("serve", "--run", "a", "--devices", "bogus", "--port", "70000", "--data-dir", DataDir);
        var lines = _error.ToString().TrimEnd().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Contains(
            lines, l => l.Contains("\"bogus\"", StringComparison.Ordinal) && l.EndsWith("(--devices)", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--epochs is no option here, but a setting: --set run.epochs=3", "train", "--epochs", "3")]
    [InlineData("--rounds is no option here, but a setting: --set run.rounds=VALUE", "train", "--rounds", "--plain")]
    [InlineData("--lr is no option here, but a setting: --set optimizer.learning-rate=1e-4", "train", "--lr=1e-4")]
    [InlineData("--database is no option here, but a setting: --set node.database=a", "worker", "--seed", "a:1", "--database", "a")]
    public async Task A_setting_that_is_written_as_an_option_is_explained(string line, params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run(args));
        Assert.StartsWith($"error: {line}\n", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--device gpu: use a GPU's name, e.g. cuda:0", "kernels", "--device", "gpu")]
    [InlineData("--device ../a: use a GPU's name, e.g. cuda:0", "products", "--device", "../a")]
    [InlineData("--rank 5: there are ranks 0 to 1; see --ranks", "nccl", "--rank", "5", "--ranks", "2", "--dir", "/tmp/ranks")]
    [InlineData("node.data-dir is empty: name a folder", "train", "--set", "node.data-dir=")]
    [InlineData("node.data-dir is empty: name a folder", "config", "--set", "node.data-dir=")]
    public async Task A_value_that_no_machine_can_use_is_wrong_usage(string problem, params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run(args));
        Assert.Contains($"error: {problem}", _error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Every option that takes a text, of every command.</summary>
    public static TheoryData<string, string> Texts => new(
        from command in Commands("", ElasticCommandLine.Build())
        from option in command.Command.Options
        where (option.ValueType == typeof(string) || option.ValueType == typeof(string[])) && option.Name is not ("--prompt" or "--stop")
        select (command.Path, option.Name));

    [Theory]
    [MemberData(nameof(Texts))]
    public async Task An_option_without_its_text_is_wrong_usage_and_starts_nothing(string command, string option)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), option, ""]));
        Assert.Contains($"error: {option} is empty: give it a value", _error.ToString(), StringComparison.Ordinal);
    }

    private static IEnumerable<(string Path, Command Command)> Commands(string path, Command command) =>
        command.Subcommands.SelectMany(c => Commands($"{path} {c.Name}", c)).Append((path, command));

    [Theory]
    [InlineData("-v")]
    [InlineData("seed", "--epochs")]
    public async Task What_is_near_to_nothing_gets_no_guess_but_what_there_is(params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run(args));
        Assert.Contains(" is no command or option here: there are ", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_unknown_option_is_told_and_every_value_that_cannot_be_read()
    {
        await Run("generate", "--run", "a", "--promt", "x", "--tokns", "3", "--top-k", "many");
        Assert.Contains("did you mean --prompt?", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("did you mean --tokens?", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("error: --top-k many: use a whole number\n", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--run is empty: give it a value, or leave it out", "train", "--run", "")]
    [InlineData("--data-dir is empty: give it a value, or leave it out", "train", "--data-dir", "")]
    [InlineData("--data-dir is empty: give it a value, or leave it out", "run", "list", "--data-dir", "")]
    [InlineData("--init is empty: give it a value, or leave it out", "train", "--init", "")]
    [InlineData("--run needs a value: --dry-run is an option", "train", "--corpus", "books", "--run", "--dry-run")]
    [InlineData("--run needs a value: --config is an option", "train", "--run", "--config", "small.conf")]
    [InlineData("--run needs a value: --help is an option", "train", "--run", "--help")]
    [InlineData("--manifest needs a value: --help is an option", "corpus", "build", "--manifest", "--help")]
    [InlineData("--hepl is no command or option here: did you mean --help?", "train", "--hepl")]
    [InlineData("--held-out needs a value: --data-dir is an option", "eval", "--run", "m", "--held-out", "--data-dir", "d")]
    [InlineData("--rounds is no option here, but a setting: --set run.rounds=5", "train", "--corpus", "books", "--rounds", "5")]
    [InlineData("--limitt is no command or option here: did you mean --limit?", "corpus", "build", "--corpus", "books", "--limitt", "5")]
    [InlineData("--run and --model both name what writes: give one of them", "generate", "--run", "a", "--model", "b")]
    [InlineData("--temperature warm: use a number", "generate", "--tokens", "x", "--temperature", "warm")]
    [InlineData("--tokens x: use a whole number", "generate", "--tokens", "x", "--temperature", "warm")]
    [InlineData("name what writes: either a run with --run NAME, or a folder with --model DIR", "generate", "--tokens", "x")]
    public async Task A_value_that_says_nothing_is_refused(string problem, params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run(args));
        Assert.Contains($"error: {problem}\n", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run", "list")]
    [InlineData("run", "show", "--run", "a")]
    [InlineData("run", "delete", "--run", "a")]
    [InlineData("run", "prune")]
    [InlineData("generate", "--run", "a")]
    [InlineData("backup", "--out", "OUT")]
    public async Task A_data_directory_that_is_not_there_is_not_found_and_nothing_is_made(params string[] args)
    {
        var place = Path.Combine(_folder, "out");
        Assert.Equal(ExitCodes.NotFound, await Run([.. args.Select(a => a == "OUT" ? place : a), "--data-dir", DataDir]));
        Assert.StartsWith($"error: there is no folder {DataDir}: ", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(place) || Directory.Exists(DataDir));
    }

    [Fact]
    public async Task A_backup_of_a_folder_without_a_journal_makes_nothing()
    {
        Directory.CreateDirectory(DataDir);
        var place = Path.Combine(_folder, "out");
        Assert.Equal(ExitCodes.Failed, await Run("backup", "--data-dir", DataDir, "--out", place));
        Assert.StartsWith($"error: there is no journal in {DataDir}: ", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(place));
    }

    [Theory]
    [InlineData("restore", "--from")]
    [InlineData("generate", "--model")]
    [InlineData("corpus", "build", "--manifest")]
    public async Task A_file_or_folder_that_is_not_there_is_not_found(params string[] args)
    {
        Assert.Equal(ExitCodes.NotFound, await Run([.. args, Path.Combine(_folder, "nope"), "--data-dir", DataDir]));
        Assert.Contains("nope", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_command_there_is_an_overview()
    {
        Assert.Equal(ExitCodes.Done, await Run());
        foreach (var command in ElasticCommandLine.Build().Subcommands)
            Assert.Contains($"  {command.Name} ", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("elastic train ", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_group_without_a_command_names_its_commands()
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run("corpus"));
        Assert.StartsWith(
            "error: corpus needs a command: build, show, export, audit, train-tokenizer\n", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("seed")]
    [InlineData("worker")]
    [InlineData("train")]
    public async Task The_example_of_a_setting_in_the_help_is_one_that_the_command_takes(string command)
    {
        await Run(command, "--help");
        var example = _output.ToString().Split("e.g. --set ")[1].Split(' ')[0].TrimEnd('.');
        var schema = command == "train" ? SettingsSchema.All : SettingsSchema.Node;
        Assert.NotNull(schema.Find(example.Split('=')[0]));
    }

    [Theory]
    [InlineData("--set", "a=b")]
    [InlineData("--promt", "b")]
    [InlineData("--data-dir", "/proc/nothing")]
    public async Task A_script_that_asked_for_json_gets_its_error_as_json(params string[] args)
    {
        var code = await Run(["train", "--json", .. args]);
        var json = JsonNode.Parse(Assert.Single(_output.ToString().TrimEnd().Split('\n')))!;
        Assert.Equal(code, (int)json["exitCode"]!);
        Assert.NotEqual(0, code);
        Assert.StartsWith($"error: {(string)json["error"]!}", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_shows_every_setting_with_its_origin_and_reads_back_as_the_same_settings()
    {
        var file = Path.Combine(_folder, "mine.conf");
        await File.WriteAllTextAsync(file, "\nmodel.layers = 2");
        string[] options = ["--config", "tiny", "--config", file, "--set", "run.epochs=3", "--corpus", "/a b#c:d", "/\"e\\", "--run", "x"];
        Assert.Equal(ExitCodes.Done, await Run(["config", .. options]));
        var lines = _output.ToString().TrimEnd().Split('\n');
        Assert.Equal(SettingsSchema.All.Settings.Select(s => s.Key), lines.Select(l => l.Split(' ')[0]));
        (string, string)[] origins =
        [
            ("model.layers", $"# {file}, line 2"), ("model.heads", "# preset tiny, line "), ("run.epochs", "# --set"),
            ("run.name", "# --run"), ("run.rounds", "# not set"), ("optimizer.epsilon", "# default"), ("corpus.sources", "# --corpus"),
        ];
        foreach (var (key, where) in origins)
            Assert.Contains(where, Assert.Single(lines, l => l.StartsWith($"{key} ", StringComparison.Ordinal)), StringComparison.Ordinal);

        var whole = Path.Combine(_folder, "whole.conf");
        await File.WriteAllTextAsync(whole, _output.ToString());
        var wanted = ConfigurationLoader.Load(new(["tiny", file], ["run.epochs=3"], ["/a b#c:d", "/\"e\\"], "x"));
        var read = ConfigurationLoader.Load(new([whole], []));
        Assert.Equal(SettingsText.Write(wanted.Training), SettingsText.Write(read.Training));
        Assert.Equal(SettingsText.Write(wanted.Node), SettingsText.Write(read.Node));
    }

    [Fact]
    public async Task Config_refuses_what_train_would_refuse() =>
        Assert.Equal(ExitCodes.WrongUsage, await Run("config", "--set", "model.layers=0"));

    private Task<int> Run(params string[] args) => ElasticCommandLine.RunAsync(args, _output, _error);
}
