using System.Diagnostics;
using Elastic.Foundation.Certificates;
using Elastic.Testing;

namespace Elastic.Bench.Mean;

/// <summary>So many node processes whose data lies in one place, and the figures of their turns.</summary>
internal sealed class Contender : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Traffic _traffic;
    private readonly List<NodeProcess> _nodes = [];
    private string _version = "";

    private Contender(string place, bool tls, Traffic traffic)
    {
        (Place, IsEncrypted, _traffic) = (tls ? $"{place}, TLS" : place, tls, traffic);
        _folder = Path.Combine(place, $"elastic-bench-{Guid.NewGuid():N}");
    }

    /// <summary>Where its data lies, and whether its connections are encrypted.</summary>
    public string Place { get; }

    public bool IsEncrypted { get; }

    public Samples AverageSeconds { get; } = new();

    public Samples AssembleSeconds { get; } = new();

    public Samples Seconds { get; } = new();

    public Samples BytesPerSecond { get; } = new();

    /// <summary>Bytes per second against the plain stream of the same turn.</summary>
    public Samples Ratio { get; } = new();

    /// <summary>Seconds against those of the same place without TLS, in the same turn; none where this is the one without.</summary>
    public Samples AgainstPlain { get; } = new();

    /// <summary>Of all its nodes in a turn.</summary>
    public Samples ProcessorSeconds { get; } = new();

    /// <summary>Shares of the machine's processors, in percent.</summary>
    public Samples User { get; } = new();

    public Samples Kernel { get; } = new();

    /// <summary>Seconds that each kind of work takes alone, in the order of <see cref="Parts.All"/>.</summary>
    public IReadOnlyList<Samples> PartSeconds { get; } = [.. Parts.All.Select(_ => new Samples())];

    /// <summary>What is not in these parts, in seconds.</summary>
    public Samples Rest { get; } = new();

    /// <param name="tls">The nodes have certificates, and mutual TLS.</param>
    /// <param name="bytesPerSecond">Of each node's link; 0 for as many as there are.</param>
    public static async Task<Contender> StartAsync(
        string place, bool tls, int nodes, string settings, Traffic traffic, double bytesPerSecond)
    {
        var contender = new Contender(place, tls, traffic);
        using var authority = tls ? new TestAuthority(Path.Combine(contender._folder, "authority")) : null;
        for (var i = 0; i < nodes; i++)
            contender._nodes.Add(await NodeProcess.StartAsync(
                Path.Combine(contender._folder, $"{i}"), i, settings, authority?.Issue($"n{i}", Role.Worker).Folder ?? "",
                bytesPerSecond));
        await contender.AllAsync(i => ["peers", .. contender._nodes.Where((_, other) => other != i).Select(n => n.Endpoint)]);
        contender._version = (await contender.AllAsync(_ => ["version"]))[0];
        return contender;
    }

    /// <summary>Bytes per second of one plain TCP stream from the first node to the second.</summary>
    public async Task<double> StreamAsync(long bytes)
    {
        var began = Stopwatch.GetTimestamp();
        await _nodes[1].AskAsync("receive", $"{_nodes[0].StreamEndpoint}={bytes}");
        return bytes / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Averages new contributions, then does the same work part by part.</summary>
    /// <param name="streamBytesPerSecond">Of the plain stream of this turn; null: nothing is noted down.</param>
    /// <param name="parts">Parts to do.</param>
    public async Task TakeTurnAsync(int turn, double? streamBytesPerSecond, IReadOnlyList<KindOfWork> parts)
    {
        var contributions = await AllAsync(i => ["contribute", $"{turn * _nodes.Count + i + 1}"]);

        var before = ProcessorSecondsSoFar();
        var began = Stopwatch.GetTimestamp();
        var chunks = await AllAsync(i =>
            ["average", $"{turn}", _version, string.Join(',', contributions),
                .. _traffic.Pieces.Where(p => p.Node == i).Select(p => string.Join(',', p.Chunks))]);
        var averaged = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var inOrder = chunks.SelectMany(c => c.Split(' ', StringSplitOptions.RemoveEmptyEntries)).OrderBy(c => int.Parse(c.Split(':')[0]));
        string[] assemble = ["assemble", $"{turn}", .. inOrder];
        var versions = await AllAsync(_ => assemble);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var after = ProcessorSecondsSoFar();
        if (versions.Distinct().Count() != 1)
            throw new InvalidOperationException($"the nodes assembled different versions: {string.Join(' ', versions)}");

        var alone = await PartsAsync(parts);
        await AllAsync(_ => ["forget", _version]);
        if (streamBytesPerSecond is not { } stream)
            return;
        AverageSeconds.Add(averaged);
        AssembleSeconds.Add(seconds - averaged);
        Seconds.Add(seconds);
        BytesPerSecond.Add(_traffic.AllReceive / seconds);
        Ratio.Add(_traffic.AllReceive / seconds / stream);
        ProcessorSeconds.Add(after.User - before.User + after.Kernel - before.Kernel);
        var machine = seconds * Environment.ProcessorCount / 100;
        User.Add((after.User - before.User) / machine);
        Kernel.Add((after.Kernel - before.Kernel) / machine);
        for (var i = 0; i < alone.Count; i++)
            PartSeconds[i].Add(alone[i]);
        Rest.Add(seconds - alone.Sum());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, true);
    }

    // All nodes at once, one part after the other.
    private async Task<List<double>> PartsAsync(IReadOnlyList<KindOfWork> parts)
    {
        var seconds = new List<double>();
        foreach (var part in parts)
        {
            var began = Stopwatch.GetTimestamp();
            await AllAsync(i => part.Name == "wire" ? ["receive", .. Streams(i)] : ["part", part.Name, $"{part.Bytes(_traffic, i)}"]);
            seconds.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }

        return seconds;
    }

    // What the node receives, in equal parts from the others.
    private IEnumerable<string> Streams(int node) =>
        _nodes.Where((_, other) => other != node).Select(n => $"{n.StreamEndpoint}={_traffic.Receives(node) / (_nodes.Count - 1)}");

    private (double User, double Kernel) ProcessorSecondsSoFar()
    {
        var all = _nodes.ConvertAll(n => n.ProcessorSeconds());
        return (all.Sum(n => n.User), all.Sum(n => n.Kernel));
    }

    private Task<string[]> AllAsync(Func<int, IEnumerable<string>> words) =>
        Task.WhenAll(_nodes.Select((node, i) => node.AskAsync(words(i))));
}
