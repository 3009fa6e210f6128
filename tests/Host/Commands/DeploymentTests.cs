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
        var script = File.ReadAllText(Path.Combine(Deploy, "slurm/cluster.sbatch"));
        var function = script[script.IndexOf("state() {", StringComparison.Ordinal)..];
        function = function[..(function.IndexOf("\n}", StringComparison.Ordinal) + 2)];
        var start = new ProcessStartInfo(
            "bash", ["-c", $"ask() {{ printf '%s\\n' \"$VIEW\"; }}\nrun=tiny\n{function}\nstate"])
        { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment["VIEW"] = RunJson.Write(Views.Tiny with { Phase = phase, Failure = failure });
        using var process = Process.Start(start)!;
        Assert.Equal(state, process.StandardOutput.ReadToEnd().TrimEnd());
    }

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
