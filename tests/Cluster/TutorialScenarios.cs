using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>The commands of docs/tutorial.md, one after the other in one shell, with a smaller run and free ports.</summary>
public sealed partial class TutorialScenarios : IDisposable
{
    private const string Page = "docs/tutorial.md", Rounds = "run.rounds=40", FewerRounds = "run.rounds=4";

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    // What the page calls elastic and pbm. Workers wait in the middle of a round until the run is started for the second time: however slow
    // the machine is, the run is not over before all that the page does to it has been done.
    private const string Elastic = """
        case "$1" in
          seed) set -- "$@" --port "$PORT" --http-port "$HTTP_PORT" --pbm-port "$PBM_PORT" ;;
          worker) echo $$ >> "$ROOT/nodes"; exec dotnet "$BASE/Elastic.Faulty.dll" held "${@//127.0.0.1:4053/127.0.0.1:$PORT}" ;;
          train) set -- "$@" --config "$CONFIG" --corpus "$CORPUS" --devices cpu:2 ;;
        esac
        echo $$ >> "$ROOT/nodes"
        exec dotnet "$BASE/elastic.dll" "$@"
        """;

    private const string Pbm = """
        if [ "$1 $2" = "run start" ]; then
          if [ -e "$ROOT/started" ]; then touch "$ELASTIC_GO"; else touch "$ROOT/started"; set -- "$@" -c "$CONFIG" -d "$CORPUS"; fi
        fi
        exec dotnet "$BASE/pbm.dll" "$@"
        """;

    // A person kills the worker when it works.
    private const string Before = """
        set -e
        cd "$ROOT"
        PATH="$ROOT/bin:$PATH"
        kill() {
          if [ "$1" = -9 ]; then until grep -qs "its first step" w2/log.txt; do sleep 0.1; done; fi
          builtin kill "$@"
        }

        """;

    private readonly TinyFiles _files = new();
    private bool _isClean;

    public void Dispose()
    {
        var nodes = Path.Combine(_files.Root, "nodes");
        foreach (var node in _isClean || !File.Exists(nodes) ? [] : File.ReadAllLines(nodes))
            Kill(int.Parse(node, CultureInfo.InvariantCulture));
        _files.Dispose();
    }

    [Fact]
    public async Task The_commands_of_the_tutorial_run_as_they_stand_and_one_process_comes_to_the_same_fingerprint()
    {
        Requirement.Need(File.Exists("/bin/bash"), "needs bash: apt-get install bash");
        var commands = string.Concat(Blocks().Matches(await File.ReadAllTextAsync(PathOf(Page))).Select(m => m.Groups["it"].Value));
        Assert.Equal(2, commands.Split(Rounds).Length - 1);
        WriteProgram("elastic", Elastic);
        WriteProgram("pbm", Pbm);
        var script = Path.Combine(_files.Root, "tutorial.sh");
        await File.WriteAllTextAsync(script, Before + commands.Replace(Rounds, FewerRounds, StringComparison.Ordinal));
        var pbmPort = FreePort.Text();
        using var shell = new ElasticProcess(new Launch("/bin/bash")
        {
            IsProgram = true,
            Environment = new Dictionary<string, string>
            {
                ["ROOT"] = _files.Root,
                ["BASE"] = AppContext.BaseDirectory.TrimEnd('/'),
                ["CONFIG"] = _files.ClusterConfig,
                ["CORPUS"] = _files.Corpus,
                ["PORT"] = FreePort.Text(),
                ["HTTP_PORT"] = FreePort.Text(),
                ["PBM_PORT"] = pbmPort,
                ["ELASTIC_PBM"] = $"127.0.0.1:{pbmPort}",
                ["ELASTIC_GO"] = Path.Combine(_files.Root, "go"),
            },
        }, [script]);
        var code = await shell.EndAsync(Deadline);
        Assert.True(code == 0, $"exit code {code}:\n{shell.Said}{string.Concat(Directory.GetFiles(_files.Root, "*.txt").Select(Shown))}");
        _isClean = true;

        // The watch's, at the end of the cluster's run, and the one process's, which comes last.
        var cluster = Assert.Single(Finished().Matches(shell.Output)).Groups["it"].Value;
        Assert.Equal(cluster, Summary().Matches(shell.Output).Last().Groups["it"].Value);
        Assert.Contains("proven", shell.Output, StringComparison.Ordinal);
    }

    private static string Shown(string file) => $"--- {file}\n{File.ReadAllText(file)}";

    private static string PathOf(string file)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Elastic.sln")))
            folder = folder.Parent;
        return Path.Combine(folder.FullName, file);
    }

    private void WriteProgram(string name, string text)
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(_files.Root, "bin")).FullName, name);
        File.WriteAllText(file, $"#!/bin/bash\n{text}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static void Kill(int node)
    {
        try
        {
            using var process = Process.GetProcessById(node);
            process.Kill();
            process.WaitForExit(TimeSpan.FromSeconds(10));
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It has ended.
        }
    }

    // What is to be typed; what it says then stands in blocks without a language.
    [GeneratedRegex("^```sh\n(?<it>.*?)^```$", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.Singleline, 1000)]
    private static partial Regex Blocks();

    [GeneratedRegex("^run first is finished: fingerprint (?<it>[0-9a-f]+)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Finished();

    [GeneratedRegex("^fingerprint +(?<it>[0-9a-f]+)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Summary();
}
