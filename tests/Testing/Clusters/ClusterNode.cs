using System.Text;
using System.Text.RegularExpressions;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Testing;

/// <summary>A seed or a worker: a data directory of its own, and what was started on it one after the other.</summary>
public sealed partial class ClusterNode(
    string name, string role, string dataDir, string port, Launch launch, IReadOnlyList<string> arguments) : IDisposable
{
    private readonly List<RunningCommand> _started = [];
    private bool _mayEnd = true;

    public string Name => name;

    public bool IsSeed => role == "seed";

    /// <summary>Of a seed's dashboard; null for a seed without one.</summary>
    public string? DashboardPort { get; set; }

    public string DataDir => dataDir;

    /// <summary>What its data directory says; results carry it. There once it has been started.</summary>
    public NodeId Id => IdIn(dataDir);

    /// <summary>Of the control plane, as bound: what people call the node.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>Of the data plane, as bound.</summary>
    public string HttpEndpoint { get; private set; } = "";

    /// <summary>Where pbm is answered, as bound; empty on a worker.</summary>
    public string PbmEndpoint { get; private set; } = "";

    /// <summary>When the newest said that it is up; null before.</summary>
    public DateTime? UpAt { get; private set; }

    /// <summary>What was started last.</summary>
    public RunningCommand Newest => _started[^1];

    /// <summary>The same where it is a process.</summary>
    /// <exception cref="InvalidOperationException">It runs in the test's own.</exception>
    public ElasticProcess Process => Newest as ElasticProcess
        ?? throw new InvalidOperationException($"{name} runs in the test's process: launch it as one of its own to kill or to stop it");

    public bool IsAlive => _started.Count > 0 && !Newest.HasEnded;

    /// <summary>True while the newest has joined and has not ended.</summary>
    public bool IsUp => IsAlive && HasJoined();

    /// <summary>True when it has ended and nobody asked it to.</summary>
    public bool HasFailed => !_mayEnd && Newest.HasEnded;

    /// <summary>What all that were started said so far.</summary>
    public string Said => string.Concat(_started.Select(p => p.Output + p.Error));

    public NodeLog Log { get; } = new(Path.Combine(dataDir, "log.txt"));

    /// <summary>The replicas whose inner steps it began, by round, and at which step.</summary>
    public IReadOnlyList<(int Round, int Replica, int Step)> Begun => [.. Log.Starts.Select(s => (s.Work.Round, s.Work.Replica, s.Step))];

    /// <summary>The replicas of whose inner steps it took one, by round.</summary>
    public IReadOnlyList<(int Round, int Replica)> Stepped => [.. Log.FirstSteps.Select(s => (s.Work.Round, s.Work.Replica))];

    /// <summary>What a data directory says.</summary>
    public static NodeId IdIn(string dataDir) => new(File.ReadAllText(new DataPaths(dataDir).NodeId).Trim());

    /// <summary>Starts it with the same arguments as ever; a seed on the same ports as ever.</summary>
    /// <param name="mayEnd">It may end by itself.</param>
    public void Launch(bool mayEnd = false)
    {
        string[] ports = !IsSeed ? ["--port", port]
            : Endpoint.Length == 0 ? ["--port", port, "--http-port", FreePort.Text(), "--pbm-port", FreePort.Text(), .. Dashboard]
            : ["--port", PortOf(Endpoint), "--http-port", PortOf(HttpEndpoint), "--pbm-port", PortOf(PbmEndpoint), .. Dashboard];
        UpAt = null;
        _started.Add(RunningCommand.Start(launch, [role, "--data-dir", dataDir, .. ports, .. arguments]));
        _mayEnd = mayEnd;
    }

    /// <summary>It may end by itself from now on.</summary>
    public void MayEnd() => _mayEnd = true;

    /// <summary>Reads what it says of itself.</summary>
    /// <returns>True once the newest has joined the cluster.</returns>
    public bool HasJoined()
    {
        var output = Newest.Lines.Where(l => !l.IsError).ToList();
        var up = output.Select(l => (l.At, Match: Up().Match(l.Text))).FirstOrDefault(l => l.Match.Success);
        var pbm = output.Select(l => Pbm().Match(l.Text)).FirstOrDefault(m => m.Success);
        if (up.Match is null || (IsSeed && pbm is null))
            return false;
        (Endpoint, HttpEndpoint, UpAt) = (up.Match.Groups["control"].Value, up.Match.Groups["data"].Value, up.At);
        PbmEndpoint = pbm?.Groups["pbm"].Value ?? "";
        return true;
    }

    /// <summary>SIGKILL.</summary>
    /// <returns>The moment before.</returns>
    public Task<DateTime> KillAsync()
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
                Newest.AskToEnd();
            else
                await ask();
            return await Newest.EndAsync();
        }
    }

    /// <summary>SIGKILL to a process; what runs in the test's own is asked to leave.</summary>
    public Task EndAsync() => Newest is ElasticProcess ? KillAsync() : LeaveAsync();

    /// <summary>Ends it, and removes what it had stored.</summary>
    public async Task RemoveAsync()
    {
        await KillAsync();
        Directory.Delete(dataDir, true);
    }

    /// <summary>What there is to see when a scenario fails.</summary>
    public string Describe()
    {
        var text = new StringBuilder().AppendLine($"=== {name} ({role} {Endpoint}, {dataDir})");
        foreach (var one in _started)
            text.AppendLine($"--- {one.Name} {(one.HasEnded ? $"ended with {one.EndAsync().Result}" : "runs")}").Append(one.Said);
        return text.AppendLine("--- the end of log.txt").AppendLine(Log.Tail).ToString();
    }

    public void Dispose() => _started.ForEach(p => p.Dispose());

    private string[] Dashboard => DashboardPort is { } own ? ["--dashboard-port", own] : ["--no-dashboard"];

    private static string PortOf(string endpoint) => endpoint[(endpoint.LastIndexOf(':') + 1)..];

    [GeneratedRegex(@"(seed|worker) (?<control>\S+) is up: data plane (?<data>\S+), devices", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Up();

    [GeneratedRegex(@"pbm (?<pbm>\S+) controls it", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Pbm();
}
