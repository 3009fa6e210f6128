using System.Text;
using System.Text.Json;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Pbm;
using Elastic.Pbm;

namespace Elastic.Testing;

/// <summary>
/// Seeds and workers on the loopback, real processes unless a launch says otherwise, and what a person does with them. Everything that is
/// waited for has a deadline.
/// </summary>
/// <param name="folder">For the nodes' data directories.</param>
public class ElasticCluster(string folder, Wait wait) : IAsyncDisposable
{
    private readonly List<ClusterNode> _nodes = [];
    private readonly Interruption _interruption = new();

    /// <summary>Issues the certificates of the nodes that are added from now on; null for a cluster without.</summary>
    public TestAuthority? Certificates { get; private set; }

    /// <summary>Where the seeds' journal is, as for <c>--database</c>; null for the first seed's data directory.</summary>
    public string? Database { get; set; }

    public IReadOnlyList<ClusterNode> Nodes
    {
        get
        {
            lock (_nodes)
                return [.. _nodes];
        }
    }

    public IReadOnlyList<ClusterNode> Seeds => [.. Nodes.Where(n => n.IsSeed)];

    public IReadOnlyList<ClusterNode> Workers => [.. Nodes.Where(n => !n.IsSeed)];

    /// <summary>A seed with no devices; not started yet.</summary>
    /// <param name="port">Of its control plane; null for any free one.</param>
    public ClusterNode Seed(string name, string? port = null, Launch? launch = null, params IEnumerable<string> more) =>
        Add(name, "seed", launch, [.. OwnOptions("seed"), .. more], port ?? FreePort.Text());

    /// <summary>A worker that knows all seeds that there are; not started yet.</summary>
    public ClusterNode Worker(string name, string devices = "cpu:1", Launch? launch = null, params IEnumerable<string> more) =>
        Add(name, "worker", launch, ["--devices", devices, .. KnownSeeds(), .. more], port: "0");

    /// <summary>The seeds that there are, as arguments.</summary>
    public IEnumerable<string> KnownSeeds() => Seeds.SelectMany(s => new[] { "--seed", s.Endpoint });

    /// <summary>Starts processes and waits until all of them have joined.</summary>
    public Task StartAsync(params IReadOnlyList<ClusterNode> nodes)
    {
        foreach (var node in nodes)
            node.Launch();
        return JoinedAsync(nodes);
    }

    /// <summary>Waits until all of these have joined.</summary>
    public Task JoinedAsync(params IReadOnlyList<ClusterNode> nodes) =>
        UntilAsync($"{string.Join(", ", nodes.Select(n => n.Name))} joined", () => nodes.All(n => n.HasJoined()));

    /// <summary>From now on every node has a certificate, and so has pbm.</summary>
    public void UseCertificates()
    {
        Certificates = new TestAuthority(Path.Combine(folder, "authority"));
        AdminCertificates = Certificates.Issue("ann", Role.Admin).Folder;
    }

    /// <summary>Runs <c>pbm</c> against the first seed that is up.</summary>
    public async Task<(int Code, string Output, string Error)> PbmAsync(params string[] words)
    {
        using StringWriter output = new(), error = new();
        var seed = Seeds.First(s => s.IsUp);
        var code = await PbmCommandLine.RunAsync(
            [.. PbmOptions(seed), .. words], seed.PbmEndpoint,
            new PbmConsole(TextReader.Null, output, error, IsInteractive: false), _interruption);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Runs <c>pbm --json</c> against the first seed that is up; null while that has no answer.</summary>
    /// <returns>A line each.</returns>
    public async Task<IReadOnlyList<JsonElement>?> LookAsync(params string[] words)
    {
        var (code, output, _) = await PbmAsync([.. words, "--json"]);
        return code == 0
            ? [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)]
            : null;
    }

    /// <summary>The option without which the seed refuses pbm: its certificates, where the cluster has some, else the token.</summary>
    public IEnumerable<string> PbmOptions(ClusterNode seed) =>
        AdminCertificates is { } own ? ["--certs", own] : ["--token-file", PbmToken.PathIn(seed.DataDir)];

    /// <summary>The folder of the certificates of somebody who may change things; null for a cluster without.</summary>
    public string? AdminCertificates { get; private set; }

    /// <summary>Starts a run, as a person does.</summary>
    /// <param name="settings">"key=value", on top of the configuration.</param>
    /// <exception cref="InvalidOperationException">It was refused, and why.</exception>
    public async Task StartRunAsync(string name, string configuration, string corpus, params IEnumerable<string> settings)
    {
        var (code, _, error) = await PbmAsync(
            ["run", "start", "-n", name, "-c", configuration, "-d", corpus, .. settings.SelectMany(s => new[] { "-s", s })]);
        if (code != 0)
            throw new InvalidOperationException($"pbm run start ended with {code}: {error}");
    }

    /// <summary>The seed that supervises the run; null while that is moving.</summary>
    public async Task<ClusterNode?> SupervisorAsync() => await LookAsync("cluster", "show") is [var cluster]
        ? Seeds.FirstOrDefault(s => s.Endpoint == cluster.GetProperty("supervisor").GetString())
        : null;

    /// <summary>Waits for something to become true.</summary>
    /// <param name="what">As a sentence in the past tense.</param>
    public Task UntilAsync(string what, Func<bool> condition) => UntilAsync(what, () => Task.FromResult(condition()));

    /// <inheritdoc cref="UntilAsync(string, Func{bool})"/>
    /// <exception cref="InvalidOperationException">A node ended by itself.</exception>
    /// <exception cref="TimeoutException">It did not become true in time.</exception>
    public Task UntilAsync(string what, Func<Task<bool>> condition) => wait.UntilAsync(what, () =>
        Nodes.FirstOrDefault(n => n.HasFailed) is { } failed
            ? throw new InvalidOperationException($"{failed.Name} ended by itself before {what}: {failed.Describe()}")
            : condition(), Describe);

    /// <summary>What there is to see when something goes wrong.</summary>
    public virtual string Describe() => Nodes.Aggregate(new StringBuilder(), (text, node) => text.AppendLine(node.Describe())).ToString();

    /// <summary>Kills what still runs; what runs in this process leaves, all at once.</summary>
    public virtual async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(node => Task.Run(node.Dispose)));
        _interruption.Dispose();
        Certificates?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives a node a new certificate, where the cluster has some.</summary>
    public void Renew(ClusterNode node) => Certificates?.Issue(
        node.Name, node.IsSeed ? Role.Seed : Role.Worker, folder: Path.Combine(node.DataDir, CertificateFiles.InDataDirectory));

    /// <summary>A seed or a worker without a certificate that gets one with a join token when it starts; not started yet.</summary>
    /// <param name="from">A seed that is to have the authority's key from now on.</param>
    public async Task<ClusterNode> ByTokenAsync(
        Role role, string name, ClusterNode from, Launch? launch = null, CancellationToken cancel = default)
    {
        var seed = new CertificateFiles(Path.Combine(from.DataDir, CertificateFiles.InDataDirectory));
        Certificates!.GiveKey(seed);
        var file = Path.Combine(folder, $"{name}.token");
        using (var issuer = await Issuer.OpenAsync(seed, TimeProvider.System, cancel))
            CertificateFiles.WriteSecret(file, issuer.NewToken(role, 1, TimeSpan.FromHours(1)).ToText());
        var command = Identity.Text(role);
        return Add(
            name, command, launch, [.. OwnOptions(command), .. KnownSeeds(), "--token-file", file],
            role == Role.Seed ? FreePort.Text() : "0", hasCertificate: false);
    }

    private IEnumerable<string> OwnOptions(string role) => role == "seed"
        ? ["--devices", "none", .. Database is null ? Array.Empty<string>() : ["--database", Database]]
        : ["--devices", "cpu:1"];

    private ClusterNode Add(
        string name, string role, Launch? launch, IReadOnlyList<string> arguments, string port, bool hasCertificate = true)
    {
        var node = new ClusterNode(name, role, Path.Combine(folder, name), port, launch ?? Launch.Elastic, arguments);
        if (hasCertificate)
            Renew(node);
        lock (_nodes)
            _nodes.Add(node);
        return node;
    }
}
