using System.Text.RegularExpressions;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>A seed or a worker: a data directory, and the processes that were started on it one after the other.</summary>
internal sealed partial class ClusterNode(string role, string dataDir, IReadOnlyList<string> arguments) : IDisposable
{
    private TimedProcess? _process;

    /// <summary>Of the control plane, "host:port": the node's name, too.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>Where pbm is answered; empty on a worker.</summary>
    public string PbmEndpoint { get; private set; } = "";

    /// <summary>When the newest process was started.</summary>
    public DateTime StartedAt => _process!.StartedAt;

    /// <summary>When the newest process said that it is up; null before.</summary>
    public DateTime? UpAt { get; private set; }

    public NodeLog Log { get; } = new(Path.Combine(dataDir, "log.txt"));

    /// <summary>What its newest process said, and the end of its log.</summary>
    public string Said => $"{role} {Endpoint} ({dataDir}):{Environment.NewLine}{_process?.Said}{Environment.NewLine}{Log.Tail(20)}";

    public bool HasEnded => _process is { HasEnded: true };

    /// <summary>Starts a process. A seed comes back on the ports that it had.</summary>
    public void Launch()
    {
        _process?.Dispose();
        UpAt = null;
        string[] ports = PbmEndpoint.Length == 0
            ? ["--port", "0", .. role == "seed" ? ["--http-port", "0", "--pbm-port", "0"] : Array.Empty<string>()]
            : ["--port", PortOf(Endpoint), "--http-port", "0", "--pbm-port", PortOf(PbmEndpoint)];
        _process = new TimedProcess("elastic.dll", [role, "--data-dir", dataDir, .. ports, .. arguments]);
    }

    /// <summary>True once the newest process is up.</summary>
    public bool IsUp()
    {
        var lines = _process!.Lines;
        var up = lines.Select(l => (l.At, Match: Up().Match(l.Text))).FirstOrDefault(l => l.Match.Success);
        if (up.Match is null)
            return false;
        (Endpoint, UpAt) = (up.Match.Groups["control"].Value, up.At);
        if (role != "seed")
            return true;
        PbmEndpoint = lines.Select(l => Pbm().Match(l.Text)).FirstOrDefault(m => m.Success)?.Groups["pbm"].Value ?? "";
        return PbmEndpoint.Length > 0;
    }

    /// <summary>SIGKILL.</summary>
    /// <returns>The moment before.</returns>
    public Task<DateTime> KillAsync() => _process!.KillAsync();

    /// <summary>Ends it, and removes what it had stored.</summary>
    public async Task RemoveAsync()
    {
        await KillAsync();
        Directory.Delete(dataDir, true);
    }

    public void Dispose() => _process?.Dispose();

    private static string PortOf(string endpoint) => endpoint[(endpoint.LastIndexOf(':') + 1)..];

    [GeneratedRegex(@"(seed|worker) (?<control>\S+) is up: data plane", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Up();

    [GeneratedRegex(@"pbm (?<pbm>\S+) controls it", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Pbm();
}
