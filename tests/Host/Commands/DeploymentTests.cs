using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Host.Commands;
using Elastic.Host.Display;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>What the files in deploy/ say to Elastic is what Elastic understands.</summary>
public sealed partial class DeploymentTests
{
    private const int MostMilliseconds = 60_000;

    private static readonly string Deploy = Checkout.PathOf("deploy");

    public static TheoryData<string, int> Files => new()
    {
        { "compose/compose.yml", 4 },
        { "kubernetes/base/seeds.yaml", 1 },
        { "kubernetes/base/workers.yaml", 1 },
        { "systemd/elastic-seed.service", 1 },
        { "systemd/elastic-worker.service", 1 },
        { "systemd/README.md", 2 },
        { "slurm/worker.sbatch", 1 },
        { "slurm/cluster.sbatch", 6 },
        { "slurm/README.md", 2 },
        { "preemption/README.md", 1 },
        { "kubernetes/README.md", 2 },
        { "compose/prepare", 1 },
        { "../docs/deployment.md", 2 },
    };

    /// <param name="count">How many command lines of Elastic the file has, so that none is overlooked.</param>
    [Theory]
    [MemberData(nameof(Files))]
    public void Every_command_line_is_understood(string file, int count)
    {
        var commands = CommandsOf(file, File.ReadAllText(Path.Combine(Deploy, file))).ToList();
        Assert.True(commands.Count == count, $"{file} has {commands.Count} command lines:\n{string.Join('\n', commands)}");
        foreach (var command in commands)
        {
            var args = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(ElasticCommandLine.Build().Parse(args).Errors is [], $"{file}: elastic {command}");
            foreach (var set in args.Where(a => a.StartsWith("--set=", StringComparison.Ordinal)))
                Assert.Contains(set["--set=".Length..].Split('=')[0], SettingsSchema.Node.Settings.Select(s => s.Key));
        }
    }

    [Theory]
    [InlineData("compose/compose.yml", "stop_grace_period: ", "lan")]
    [InlineData("systemd/elastic-seed.service", "TimeoutStopSec=", "lan")]
    [InlineData("systemd/elastic-worker.service", "TimeoutStopSec=", "lan")]
    [InlineData("kubernetes/base/seeds.yaml", "terminationGracePeriodSeconds: ", "spot")]
    [InlineData("kubernetes/base/workers.yaml", "terminationGracePeriodSeconds: ", "spot")]
    public void A_node_that_is_stopped_gets_the_time_that_a_leave_takes(string file, string key, string network)
    {
        var text = File.ReadAllText(Path.Combine(Deploy, file));
        var start = text.IndexOf(key, StringComparison.Ordinal) + key.Length;
        Assert.True(start > key.Length, $"{file} has no {key}");
        var seconds = int.Parse([.. text[start..].TakeWhile(char.IsAsciiDigit)], CultureInfo.InvariantCulture);
        // It also takes leave of the cluster, and ends.
        Assert.True(seconds >= (NodeSettings.Defaults with { Network = network }).LeaveWithin.TotalSeconds + 5);
    }

    [Theory]
    [InlineData(RunPhase.Computing, null, "computing")]
    [InlineData(RunPhase.Finished, null, "finished")]
    [InlineData(RunPhase.Stopped, null, "stopped")]
    [InlineData(RunPhase.Computing, "no node computes it: \"failure\": null", "failed")]
    public void A_job_of_Slurm_sees_how_its_run_stands(RunPhase phase, string? failure, string state)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the script is one of Linux");
        Assert.Equal(state, Output(
            "bash", $"ask() {{ printf '%s\\n' \"$VIEW\"; }}\nrun=tiny\n{Function("slurm/cluster.sbatch", "state")}\nstate",
            ("VIEW", RunJson.Write(Views.Tiny with { Phase = phase, Failure = failure }))));
    }

    // 0: the run is there. 1: refused. 2: a wrong command line. 3: no such run, or no such corpus. 4: nobody answers yet.
    [Theory]
    [InlineData("0", "", "started, asked 1 times")]
    [InlineData("4 4 0", "", "started, asked 3 times")]
    [InlineData("1", "0", "started, asked 1 times")]
    [InlineData("4 2", "3", "failed, asked 2 times")]
    [InlineData("3", "3", "failed, asked 1 times")]
    [InlineData("1 1 0", "3 3", "started, asked 3 times")]
    [InlineData("2 2 0", "4 4", "started, asked 3 times")]
    public void A_job_of_Slurm_asks_for_its_run_again_where_that_may_help(string starts, string statuses, string end)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the script is one of Linux");
        Assert.Equal(end, Output("bash", $$"""
            starts=({{starts}}) statuses=({{statuses}}) asked=0 looked=0 stop= seed=$$ run=tiny
            ask() {
                case $2 in
                    start) asked=$((asked + 1)); return "${starts[asked - 1]:-$(kill $$)}" ;;
                    status) looked=$((looked + 1)); return "${statuses[looked - 1]:-$(kill $$)}" ;;
                esac
            }
            wait_seconds() { :; }
            {{Function("slurm/cluster.sbatch", "begin")}}
            begin -d corpus
            echo "${stop:-started}, asked $asked times"
            """));
    }

    [Fact]
    public void Prepare_of_Compose_takes_a_program_in_the_path_or_below_the_caller_s_folder()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the script is one of Linux");
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "bin"));
        Directory.CreateDirectory(Path.Combine(folder, "compose"));
        File.Copy(Path.Combine(Deploy, "compose/prepare"), Path.Combine(folder, "compose/prepare"));
        File.WriteAllText(Path.Combine(folder, "bin/elastic"), "#!/bin/sh\necho \"$@\"\n");
        File.WriteAllText(Path.Combine(folder, "bin/openssl"), "#!/bin/sh\necho drawn\n");
        Output("sh", $"chmod 700 {folder}/bin/* {folder}/compose/prepare");
        foreach (var elastic in new[] { "elastic", "bin/elastic" })
        {
            var said = Output("sh", $"cd {folder}; rm -rf compose/secrets; PATH=$PWD/bin:$PATH ELASTIC={elastic} compose/prepare 2>&1");
            Assert.Contains("ready:", said, StringComparison.Ordinal);
            Assert.Equal(
                "certs token --role worker --uses 3 --expires 30d --data-dir data/seed",
                File.ReadAllText(Path.Combine(folder, "compose/secrets/worker-token")).TrimEnd());
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Where_a_join_token_is_written_nobody_else_may_read_it()
    {
        var root = Checkout.PathOf("");
        var lines = new[] { "docs", "deploy" }.SelectMany(f => Directory.GetFiles(Path.Combine(root, f), "*", SearchOption.AllDirectories))
            .Append(Path.Combine(root, "README.md")).Where(f => !f.EndsWith(".png", StringComparison.Ordinal))
            .SelectMany(f => File.ReadAllText(f).Split('\n').Select(line => (File: f, Line: line)))
            .Where(l => TokenFile().IsMatch(l.Line)).ToList();
        Assert.True(lines.Count >= 4, string.Join('\n', lines));
        Assert.All(lines, l => Assert.True(
            l.Line.Contains("umask 077", StringComparison.Ordinal)
            || File.ReadAllText(l.File).Split("umask 077")[0].Length < File.ReadAllText(l.File).IndexOf(l.Line, StringComparison.Ordinal),
            $"{l.File}: {l.Line}"));
    }

    private static string Function(string file, string name)
    {
        var script = File.ReadAllText(Path.Combine(Deploy, file));
        var function = script[script.IndexOf($"\n{name}() {{", StringComparison.Ordinal)..];
        return function[..(function.IndexOf("\n}", StringComparison.Ordinal) + 2)];
    }

    private static string Output(string shell, string script, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(shell, ["-c", script]) { RedirectStandardOutput = true, UseShellExecute = false };
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        return process.StandardOutput.ReadToEnd().TrimEnd();
    }

    [GeneratedRegex(@"certs token [^|\n]*>", RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex TokenFile();

    private static IEnumerable<string> CommandsOf(string file, string text) => file switch
    {
        _ when file.EndsWith(".service", StringComparison.Ordinal) =>
        [
            Unit().Match(text).Groups["it"].Value.Replace(
                "$ELASTIC_OPTIONS", Options().Match(text).Groups["it"].Value, StringComparison.Ordinal),
        ],
        _ when file.EndsWith(".yml", StringComparison.Ordinal) || file.EndsWith(".yaml", StringComparison.Ordinal) =>
            Arguments().Matches(text)
                .Select(m => string.Join(' ', Item().Matches(m.Groups["it"].Value).Select(i => i.Groups["it"].Value.Trim())))
                .Where(args => args.StartsWith("seed ", StringComparison.Ordinal) || args.StartsWith("worker ", StringComparison.Ordinal)),
        _ => Shell().Matches(text.Replace("\\\n", " ", StringComparison.Ordinal)).Select(m => Number().Replace(m.Groups["it"].Value, "1")
            .Replace("\"$@\"", "--seed 10.0.0.5:4053", StringComparison.Ordinal).Replace("\"", "", StringComparison.Ordinal)),
    };

    // ExecStart=/opt/elastic/elastic seed $ELASTIC_OPTIONS, and the comment that shows the options.
    [GeneratedRegex("^ExecStart=/opt/elastic/elastic (?<it>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex Unit();

    [GeneratedRegex("^# ELASTIC_OPTIONS=(?<it>[^;\n]*)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex Options();

    // A list after "args:" or "command:", on lines of its own or in brackets.
    [GeneratedRegex(@"(args|command):(?<it>(\s*\n\s*- [^\n]*)+| \[[^\]]*\])", RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex Arguments();

    [GeneratedRegex(@"(- |\[|,)\s*(?<it>[^,\]\n]+)", RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex Item();

    // elastic seed --host …, as it stands in a shell's line or a sentence, up to where the command ends.
    [GeneratedRegex(
        """(elastic|"\$ELASTIC") (?<it>(seed|worker|certs (init|token)|backup|restore) --(\$\(\([^)]*\)\)|[^\n|>&;`#')])*)""",
        RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex Shell();

    // What stands for a number: $((port + 1)), $port.
    [GeneratedRegex(@"\$\(\([^)]*\)\)|\$port", RegexOptions.ExplicitCapture, MostMilliseconds)]
    private static partial Regex Number();
}
