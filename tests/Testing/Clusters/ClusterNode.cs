using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>A seed or a worker of a scenario: a data directory of its own, and a process that can be killed and started again.</summary>
internal sealed partial class ClusterNode(string name, string role, string dataDir, string port, Launch launch, IReadOnlyList<string> arguments) : IDisposable
{
    private readonly List<ElasticProcess> _processes = [];
    private bool _mayEnd = true;

    public string Name => name;

    public bool IsSeed => role == "seed";

    public string DataDir => dataDir;

    /// <summary>Of the control plane, as bound.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>Of the data plane, as bound.</summary>
    public string HttpEndpoint { get; private set; } = "";

    /// <summary>Where pbm is answered, as bound; empty on a worker.</summary>
    public string PbmEndpoint { get; private set; } = "";

    /// <summary>The newest process.</summary>
    public ElasticProcess Process => _processes[^1];

    public bool IsAlive => _processes.Count > 0 && !Process.HasEnded;

    /// <summary>True while the newest process has joined and has not ended.</summary>
    public bool IsUp => IsAlive && HasJoined();

    /// <summary>What all of its processes said so far.</summary>
    public string Said => string.Concat(_processes.Select(p => p.Output + p.Error));

    /// <summary>Its log.txt, a line an event.</summary>
    public IReadOnlyList<string> Log
    {
        get
        {
            var path = Path.Combine(dataDir, "log.txt");
            if (!File.Exists(path))
                return [];
            using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd().TrimEnd().Split('\n');
        }
    }

    /// <summary>The replicas whose inner steps it began, by round, and at which step.</summary>
    public IReadOnlyList<(int Round, int Replica, int Step)> Begun =>
        [.. Log.Select(l => Begins().Match(l)).Where(m => m.Success).Select(m => (Number(m, "round"), Number(m, "replica"), Number(m, "step")))];

    /// <summary>The replicas of whose inner steps it took one, by round.</summary>
    public IReadOnlyList<(int Round, int Replica)> Stepped =>
        [.. Log.Select(l => Steps().Match(l)).Where(m => m.Success).Select(m => (Number(m, "round"), Number(m, "replica")))];

    /// <summary>True when it has ended and nobody asked it to.</summary>
    public bool HasFailed => !_mayEnd && Process.HasEnded;

    /// <summary>Starts its process with the same arguments as ever; a seed on the same ports as ever.</summary>
    /// <param name="mayEnd">It may end by itself.</param>
    public void Launch(bool mayEnd = false)
    {
        string[] ports = !IsSeed ? ["--port", port]
            : Endpoint.Length == 0 ? ["--port", port, "--http-port", FreePort.Text(), "--pbm-port", FreePort.Text()]
            : ["--port", PortOf(Endpoint), "--http-port", PortOf(HttpEndpoint), "--pbm-port", PortOf(PbmEndpoint)];
        _processes.Add(new ElasticProcess(launch, [role, "--data-dir", dataDir, .. ports, .. arguments]));
        _mayEnd = mayEnd;
    }

    /// <summary>Reads what it says of itself.</summary>
    /// <returns>True once it has joined the cluster.</returns>
    public bool HasJoined()
    {
        if (Up().Match(Process.Output) is not { Success: true } up || (IsSeed && !Pbm().IsMatch(Process.Output)))
            return false;
        (Endpoint, HttpEndpoint) = (up.Groups["control"].Value, up.Groups["data"].Value);
        PbmEndpoint = Pbm().Match(Process.Output).Groups["pbm"].Value;
        return true;
    }

    /// <summary>SIGKILL.</summary>
    public Task KillAsync()
    {
        _mayEnd = true;
        return Process.KillAsync();
    }

    /// <summary>SIGTERM, or another way to ask it to leave.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> LeaveAsync(Func<Task>? ask = null)
    {
        _mayEnd = true;
        return AskAsync();

        async Task<int> AskAsync()
        {
            if (ask is null)
                Process.Signal("TERM");
            else
                await ask();
            return await Process.EndAsync();
        }
    }

    /// <summary>What there is to see when a scenario fails.</summary>
    public string Describe()
    {
        var text = new StringBuilder().AppendLine($"=== {name} ({role} {Endpoint}, {dataDir})");
        foreach (var process in _processes)
            text.AppendLine($"--- process {process.Id} {(process.HasEnded ? $"ended with {process.EndAsync().Result}" : "runs")}").Append(process.Output).Append(process.Error);
        return text.AppendLine("--- log.txt, its last lines").AppendJoin('\n', Log.TakeLast(60)).AppendLine().ToString();
    }

    public void Dispose() => _processes.ForEach(p => p.Dispose());

    private static string PortOf(string endpoint) => endpoint[(endpoint.LastIndexOf(':') + 1)..];

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(seed|worker) (?<control>\S+) is up: data plane (?<data>\S+), devices", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Up();

    [GeneratedRegex(@"round (?<round>\d+) replica (?<replica>\d+): begins at step (?<step>\d+) on", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Begins();

    [GeneratedRegex(@"round (?<round>\d+) replica (?<replica>\d+): its first step here", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Steps();

    [GeneratedRegex(@"pbm (?<pbm>\S+) controls it", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Pbm();
}
