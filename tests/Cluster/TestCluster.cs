using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Pbm;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>
/// Seeds and workers as real processes on the loopback, one run of theirs, and what a person does with them. Everything that is waited
/// for has a deadline.
/// </summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public const string Run = "tiny";

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly List<ClusterNode> _nodes = [];
    private readonly Interruption _interruption = new();
    private readonly RunWatch _watch;

    public TestCluster() => _watch = new RunWatch(() => Seeds.FirstOrDefault(s => s.IsUp)?.PbmEndpoint);

    public TinyFiles Files { get; } = new();

    /// <summary>Where the seeds' journal is, as for <c>--database</c>; null for the first seed's data directory.</summary>
    public string? Database { get; set; }

    /// <summary>Rounds of the run that were seen to be committed.</summary>
    public int Round => _watch.Round;

    /// <summary>"computing", "finished" ...</summary>
    public string Phase => _watch.Latest?.GetProperty("phase").GetString() ?? "";

    public IReadOnlyList<ClusterNode> Nodes => [.. _nodes];

    private IEnumerable<ClusterNode> Seeds => Nodes.Where(n => n.IsSeed);

    /// <summary>A seed with no devices; not started yet.</summary>
    /// <param name="port">Of its control plane; null for any free one.</param>
    public ClusterNode Seed(string name, string? port = null, Launch? launch = null, params string[] more) => Add(name, "seed", launch ?? Launch.Elastic,
        ["--devices", "none", .. Database is null ? Array.Empty<string>() : ["--database", Database], .. more], port ?? FreePort.Text());

    /// <summary>A worker that knows all seeds that there are; not started yet.</summary>
    public ClusterNode Worker(string name, string devices = "cpu:1", Launch? launch = null, params string[] more) => Add(name, "worker", launch ?? Launch.Elastic,
        ["--devices", devices, .. Seeds.SelectMany(s => new[] { "--seed", s.Endpoint }), .. more]);

    /// <summary>Starts processes and waits until all of them have joined.</summary>
    public async Task StartAsync(params IReadOnlyList<ClusterNode> nodes)
    {
        foreach (var node in nodes)
            node.Launch();
        await UntilAsync($"{string.Join(", ", nodes.Select(n => n.Name))} joined", () => nodes.All(n => n.HasJoined()));
    }

    /// <summary>Starts one seed and so many workers, and the run on them.</summary>
    /// <param name="launch">Of the workers.</param>
    public async Task<(ClusterNode Seed, ClusterNode[] Workers)> StartAsync(int workers, Launch? launch = null)
    {
        var seed = Seed("seed");
        await StartAsync(seed);
        ClusterNode[] nodes = [.. Enumerable.Range(0, workers).Select(i => Worker($"{(char)('a' + i)}", launch: launch))];
        await StartAsync(nodes);
        await StartRunAsync();
        return (seed, nodes);
    }

    /// <summary>Starts the run, as a person does.</summary>
    /// <param name="settings">"key=value", on top of the configuration.</param>
    public async Task StartRunAsync(params string[] settings) =>
        Assert.Equal(0, (await PbmAsync(["run", "start", "-n", Run, "-c", Files.ClusterConfig, "-d", Files.Corpus, .. settings.SelectMany(s => new[] { "-s", s })])).Code);

    /// <summary>Waits until that many rounds are committed.</summary>
    public Task RoundAsync(int round) => UntilAsync($"round {round} was committed", () => Round >= round);

    /// <summary>Waits for the end of the run.</summary>
    /// <returns>The fingerprint.</returns>
    public async Task<string> FinishedAsync()
    {
        await UntilAsync("the run was finished", () => Phase == "finished");
        var (code, output, error) = await PbmAsync("run", "status", "--json");
        Assert.True(code == 0, error);
        var run = JsonDocument.Parse(output).RootElement;
        Assert.Equal("finished", run.GetProperty("phase").GetString());
        return run.GetProperty("fingerprint").GetString()!;
    }

    /// <summary>Waits for the end of the run, then compares its fingerprint with an undisturbed one's and proves its journal.</summary>
    /// <param name="auditor">A seed that has the run's corpus.</param>
    /// <param name="settings">As the run was started with; only those that change the weights.</param>
    /// <returns>What has happened to the run.</returns>
    public async Task<IReadOnlyList<RunEvent>> SameAsUndisturbedAsync(ClusterNode auditor, params string[] settings)
    {
        Assert.Equal(await Undisturbed.FingerprintAsync(settings), await FinishedAsync());
        foreach (var node in Nodes.Where(n => n.IsUp))
            await node.KillAsync();
        using var audit = new ElasticProcess(
            ["corpus", "audit", "--run", Run, "--data-dir", auditor.DataDir, .. Database is null ? Array.Empty<string>() : ["--database", Database]]);
        Assert.True(await audit.EndAsync() == 0, audit.Output + audit.Error);
        Assert.Contains("proven", audit.Output, StringComparison.Ordinal);
        return await JournalAsync(auditor);
    }

    /// <summary>What has happened to the run so far.</summary>
    /// <param name="seed">Has, or had, the database.</param>
    public Task<IReadOnlyList<RunEvent>> JournalAsync(ClusterNode seed) => JournalReader.ReadAsync(
        DatabaseAddress.Parse(Database, seed.DataDir), new RunId(Run), TestContext.Current.CancellationToken);

    /// <summary>Runs <c>pbm</c> against the first seed that is up.</summary>
    public async Task<(int Code, string Output, string Error)> PbmAsync(params string[] words)
    {
        using StringWriter output = new(), error = new();
        var code = await PbmCommandLine.RunAsync(
            words, Seeds.First(s => s.IsUp).PbmEndpoint, new PbmConsole(TextReader.Null, output, error, IsInteractive: false), _interruption);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Runs <c>pbm --json</c> against the first seed that is up; null while that has no answer.</summary>
    /// <returns>A line each.</returns>
    public async Task<IReadOnlyList<JsonElement>?> LookAsync(params string[] words)
    {
        var (code, output, _) = await PbmAsync([.. words, "--json"]);
        return code == 0 ? [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)] : null;
    }

    /// <summary>The seed that supervises the run; null while that is moving.</summary>
    public async Task<ClusterNode?> SupervisorAsync() =>
        await LookAsync("cluster", "show") is [var cluster] ? Seeds.FirstOrDefault(s => s.Endpoint == cluster.GetProperty("supervisor").GetString()) : null;

    /// <summary>Waits for something to become true.</summary>
    /// <param name="what">As a sentence in the past tense.</param>
    public Task UntilAsync(string what, Func<bool> condition) => UntilAsync(what, () => Task.FromResult(condition()));

    /// <inheritdoc cref="UntilAsync(string, Func{bool})"/>
    public async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await condition().WaitAsync(Deadline))
        {
            if (Nodes.FirstOrDefault(n => n.HasFailed) is { } failed)
                Assert.Fail($"{failed.Name} ended by itself before {what}");
            if (Stopwatch.GetElapsedTime(began) > Deadline)
                Assert.Fail($"{Deadline.TotalSeconds} s passed before {what}; the run: {_watch.Latest}");
            await Task.Delay(Look);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync();
        _nodes.ForEach(n => n.Dispose());
        _interruption.Dispose();
        Files.Dispose();
    }

    private ClusterNode Add(string name, string role, Launch launch, string[] arguments, string port = "0")
    {
        var node = new ClusterNode(name, role, Path.Combine(Files.Root, name), port, launch, arguments);
        _nodes.Add(node);
        return node;
    }

    /// <summary>What there is to see when a scenario fails.</summary>
    public string Describe() =>
        Nodes.Aggregate(new StringBuilder().AppendLine($"the run, as seen last: {_watch.Latest}"), (text, node) => text.AppendLine(node.Describe())).ToString();
}
