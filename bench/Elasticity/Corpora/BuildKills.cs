using System.Globalization;
using System.Security.Cryptography;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Corpora;

/// <summary>
/// kill -9 in the middle of each step of the build of a corpus: of one process, which is started again; of a worker of three nodes; of the
/// seed that builds, which is started again; and of that seed for good, so that another one goes on. Each time all files that come of it
/// are compared with those of an undisturbed process.
/// </summary>
internal sealed class BuildKills(Options options)
{
    private const string Assembly = "Elastic.Bench.Elasticity.dll";

    // Which of its steps a node of several takes, is not known before.
    private const int Early = 3;

    private const int MostBuilds = 3;

    private static readonly string[] Results = ["texts", "corpora"];

    // What a node comes by that does not decide.
    private static readonly string[] OfNodes =
    [
        "reads", "clean", "language", "gopher-quality", "mask-personal-data", "exact-duplicates", "near-duplicates", "decontaminate",
        "keeps a piece", "tokens",
    ];

    private readonly string _folder = Path.Combine(options.Folder, $"elastic-kills-{Guid.NewGuid():N}");
    private string _manifest = "";
    private SortedDictionary<string, string> _expected = [];
    private List<(string Step, int Count)> _steps = [];
    private readonly Dictionary<string, BuildCluster> _clusters = [];
    private int _differ;

    public async Task<int> RunAsync()
    {
        try
        {
            _manifest = KilledSources.Write(Path.Combine(_folder, "sources"));
            await UndisturbedAsync();
            var only = options.Text("step", "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (only.FirstOrDefault(o => !_steps.Exists(s => s.Step == o)) is { } unknown)
                throw new ElasticException($"no build takes the step {unknown}: {string.Join(", ", _steps.Select(s => s.Step))}");
            _steps.RemoveAll(s => only.Length > 0 && !only.Contains(s.Step));
            Console.WriteLine($"| killed in the middle of | {string.Join(" | ", Modes.Select(m => m.Name))} |");
            Console.WriteLine($"|---|{string.Concat(Modes.Select(_ => "---|"))}");
            await TakeTurnsAsync();
            Console.WriteLine(_differ == 0 ? $"all equal: {_expected.Count} files each time" : $"{_differ} builds differ");
            return _differ == 0 ? 0 : 1;
        }
        finally
        {
            foreach (var cluster in _clusters.Values)
                await cluster.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }
    }

    private (string Name, Func<string, int, Task<string>> Turn)[] Modes =>
    [
        .. new (string Word, string Name, Func<string, int, Task<string>> Turn)[]
        {
            ("alone", "one process", AloneAsync), ("worker", "a worker of three", WorkerAsync),
            ("seed", "the building seed of three", SeedAsync), ("taken-over", "that seed for good", TakenOverAsync),
        }.Where(m => options.Text("mode", m.Word) == m.Word).Select(m => (m.Name, m.Turn)),
    ];

    private async Task TakeTurnsAsync()
    {
        foreach (var (step, count) in _steps)
        {
            var cells = new List<string>();
            foreach (var mode in Modes)
                cells.Add(await mode.Turn(step, count));
            Console.WriteLine($"| {step} ({count}) | {string.Join(" | ", cells)} |");
        }
    }

    private async Task UndisturbedAsync()
    {
        var (data, fault) = Data("undisturbed");
        using var process = Build(data, fault);
        if (await process.EndAsync() != 0)
            throw new InvalidOperationException($"the undisturbed build failed: {process.Said}");
        _expected = FilesOf(data);
        _steps = [.. (await File.ReadAllLinesAsync(MortalProcess.StepsOf(fault))).Select(line => line.Split(' ', 2))
            .Select(parts => (parts[1], int.Parse(parts[0], CultureInfo.InvariantCulture))).OrderBy(s => s.Item1, StringComparer.Ordinal)];
    }

    private async Task<string> AloneAsync(string step, int count)
    {
        var (data, fault) = Data("alone");
        MortalProcess.Arm(fault, step, (count + 1) / 2);
        using var killed = Build(data, fault);
        if (await killed.EndAsync() == 0 || File.Exists(fault))
            return Differs($"was not killed: {killed.Said}");
        using var again = Build(data, fault);
        return await again.EndAsync() != 0 ? Differs($"failed: {again.Said}") : Compare(data);
    }

    private Task<string> WorkerAsync(string step, int count) => !OfNodes.Contains(step) ? Task.FromResult("")
        : ByNodesAsync(step, Early, "workers", seeds: 1, workers: 2, cluster => cluster.Workers[0], comesBack: true);

    private Task<string> SeedAsync(string step, int count) =>
        ByNodesAsync(step, OfNodes.Contains(step) ? Early : (count + 1) / 2, "seed", 1, 2, cluster => cluster.Seeds[0], comesBack: true);

    private Task<string> TakenOverAsync(string step, int count) =>
        ByNodesAsync(step, OfNodes.Contains(step) ? Early : (count + 1) / 2, "seeds", 2, 1, cluster => cluster.Seeds[0], comesBack: false);

    private async Task<string> ByNodesAsync(
        string step, int at, string name, int seeds, int workers, Func<BuildCluster, ClusterNode> choose, bool comesBack)
    {
        var cluster = await ClusterAsync(name, seeds, workers);
        try
        {
            return await KilledAsync(cluster, step, at, choose(cluster), comesBack);
        }
        catch (Exception e) when (e is TimeoutException or InvalidOperationException)
        {
            // The other cells need nothing of this cluster.
            _clusters.Remove(name);
            await cluster.DisposeAsync();
            Console.Error.WriteLine($"{step}, {name}: {e.Message}");
            return Differs(e.Message.Split('\n')[0]);
        }
    }

    private async Task<string> KilledAsync(BuildCluster cluster, string step, int at, ClusterNode victim, bool comesBack)
    {
        cluster.Arm(victim, step, at);
        for (var builds = 1; ; builds++)
        {
            await cluster.BuildAsync();
            await cluster.UntilAsync(
                $"{victim.Name} was killed", async () => victim.Process.HasEnded || await cluster.IsDoneAsync());
            if (victim.Process.HasEnded)
                break;
            // Others were faster, and the node is still to die at that step: the next build goes on counting.
            if (builds == MostBuilds)
                throw new InvalidOperationException($"in {builds} builds {victim.Name} took the step fewer than {at} times");
            cluster.Empty();
        }
        if (comesBack)
            victim.Launch(mayEnd: true);
        await cluster.DoneAsync();
        var outcome = Compare((comesBack ? cluster.Seeds[0] : cluster.Seeds[1]).DataDir);
        if (!comesBack)
            victim.Launch(mayEnd: true);
        await cluster.JoinedAsync(victim);
        cluster.Empty();
        return outcome;
    }

    private async Task<BuildCluster> ClusterAsync(string name, int seeds, int workers)
    {
        if (_clusters.TryGetValue(name, out var known))
            return known;
        var cluster = _clusters[name] = new BuildCluster(Path.Combine(_folder, name), _manifest, seeds, workers);
        await cluster.StartAsync();
        return cluster;
    }

    private (string Data, string Fault) Data(string name)
    {
        var data = Path.Combine(_folder, name);
        if (Directory.Exists(data))
            Directory.Delete(data, recursive: true);
        return (data, data + ".fault");
    }

    private ElasticProcess Build(string data, string fault) => new(
        new Launch(Assembly) { Words = ["mortal", fault] },
        ["corpus", "build", "--manifest", _manifest, "--data-dir", data, "--set", "corpus.tokenizer=byte"]);

    private string Compare(string data)
    {
        var files = FilesOf(data);
        var other = _expected.Keys.Union(files.Keys).Where(
            name => _expected.GetValueOrDefault(name) != files.GetValueOrDefault(name)).ToList();
        return other.Count == 0 ? "equal" : Differs($"differs in {string.Join(", ", other)}");
    }

    private string Differs(string why)
    {
        _differ++;
        return why.ReplaceLineEndings(" ");
    }

    // All that a build leaves for people: texts, shards, tables, and nothing half-built.
    private static SortedDictionary<string, string> FilesOf(string data) => new(
        Results.Select(name => Path.Combine(data, name)).Where(Directory.Exists)
            .SelectMany(folder => Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories))
            .ToDictionary(
                path => Path.GetRelativePath(data, path),
                path => Directory.Exists(path) ? "" : Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))),
        StringComparer.Ordinal);
}
