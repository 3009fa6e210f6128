using System.CommandLine;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Web;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary>The options of <c>elastic seed</c> and <c>elastic worker</c>: where a node listens, stores and computes.</summary>
internal sealed class NodeOptions
{
    private const string NodeKeys = "node.";

    public const int DefaultPort = 4053;
    public const int DefaultHttpPort = 4080;
    public const int DefaultPbmPort = 9110;
    public const int UsualOpsPort = 9464;

    private readonly Dictionary<string, string> _defaults;
    private readonly Option<string?> _dataDir = CommonOptions.DataDir();

    private readonly Option<string?> _host = new("--host")
    {
        Description = "The address that this node binds, and by which others reach it. Default: 127.0.0.1, which no other machine reaches.",
        HelpName = "ADDRESS",
    };

    private readonly Option<int?> _portOption, _httpPortOption;
    private readonly Option<string?> _devicesOption;

    private readonly Option<int?> _opsPort = new("--ops-port")
    {
        Description = $"Port for probes and metrics (/healthz/live, /healthz/ready, /metrics), usually {UsualOpsPort}; 0 for any free one. "
                      + "Default: none.",
        HelpName = "PORT",
    };

    private readonly Option<string?> _network = new("--network")
    {
        Description = "lan, cloud or spot: how soon silence is taken for death. The same on all nodes. Default: lan.",
        HelpName = "PRESET",
    };

    private readonly Option<string?> _corporaDir = new("--corpora-dir")
    {
        Description =
            "Built corpora on a disk that all nodes see. Default: in the data directory; what is not there is fetched from other nodes.",
        HelpName = "DIR",
    };

    private readonly Option<string?> _preemptionFile = new("--preemption-file")
    {
        Description = "Leave as soon as this file exists: for machines that are told shortly before they are taken away.",
        HelpName = "FILE",
    };

    private readonly Option<string?> _certs = new("--certs")
    {
        Description = "The folder of this node's certificates (elastic certs). Default: certs in the data directory, if it is there.",
        HelpName = "DIR",
    };

    private readonly Option<bool> _insecure = new("--insecure")
    {
        Description = "Binds any address without certificates: whoever reaches the ports controls the node. " +
                      "Without this and without certificates only loopback addresses are bound.",
    };

    private readonly Option<string?> _tokenFile = CommonOptions.TokenFile();

    private readonly Option<string[]> _set = CommonOptions.Set("--set node.threads-per-device=1");

    /// <param name="port">Default of <c>--port</c>; likewise the other ports.</param>
    /// <param name="devices">Default of <c>--devices</c>.</param>
    public NodeOptions(int port, int httpPort, int pbmPort, string devices, Option<string[]> seeds)
    {
        Seeds = seeds;
        _defaults = new()
        {
            ["node.port"] = $"{port}",
            ["node.http-port"] = $"{httpPort}",
            ["node.pbm-port"] = $"{pbmPort}",
            ["node.devices"] = devices,
        };
        _portOption = new Option<int?>("--port")
        { Description = $"Port of the control plane; 0 for any free one. Default: {port}.", HelpName = "PORT" };
        _httpPortOption = new Option<int?>("--http-port")
        { Description = $"Port of the data plane; 0 for any free one. Default: {httpPort}.", HelpName = "PORT" };
        _devicesOption = new Option<string?>("--devices")
        {
            Description = $"auto, cpu:N (N slots of one thread), cpu:0,2, cuda:all, cuda:0,1, cuda:0#0,0#1 or none. Default: {devices}.",
            HelpName = "DEVICES",
        };
    }

    /// <summary>Seeds to join.</summary>
    public Option<string[]> Seeds { get; }

    /// <summary>On seeds: the port on which the seed answers pbm.</summary>
    public Option<int?> PbmPort { get; } = new("--pbm-port")
    { Description = $"Port for pbm; 0 for any free one. Default: {DefaultPbmPort}.", HelpName = "PORT" };

    /// <summary>On seeds: the port of the HTTP API and the dashboard.</summary>
    public Option<int?> DashboardPort { get; } = new("--dashboard-port")
    {
        Description = $"Port of the HTTP API and the dashboard; 0 for any free one. Default: {WebServer.UsualPort}, or any free one where "
                      + "that is in use.",
        HelpName = "PORT",
    };

    /// <summary>On seeds: serves neither of them.</summary>
    public Option<bool> NoDashboard { get; } = CommonOptions.NoDashboard();

    /// <summary>On seeds: where the journal is.</summary>
    public Option<string?> Database { get; } = new("--database")
    {
        Description = "Where the journal is: sqlite:PATH, or postgres://USER@HOST:PORT/DATABASE?password-file=PATH for seeds on several "
                      + "machines; a password in the address itself is seen in the list of processes. "
                      + "Default: ELASTIC_DATABASE, else journal.db in the data directory.",
        HelpName = "URL",
    };

    /// <summary>The options that both commands have.</summary>
    public IEnumerable<Option> Common =>
        [
            Seeds, _host, _portOption, _httpPortOption, _opsPort, _devicesOption, _dataDir, _network, _corporaDir, _preemptionFile, _certs,
            _tokenFile, _insecure, _set,
        ];

    /// <summary>All settings of a node, for the help.</summary>
    public IEnumerable<string> Settings => SettingsHelp.Lines(SettingsSchema.Node, _defaults);

    /// <summary>Reads the request of the command line.</summary>
    /// <exception cref="SettingsException">Names every problem.</exception>
    public NodeRequest Read(ParseResult parsed, bool seed)
    {
        List<string> problems = [];
        var sets = parsed.GetValue(_set)!.ToLookup(s => s.StartsWith(NodeKeys, StringComparison.Ordinal));
        problems.AddRange(sets[false].Select(
            other => $"--set {other}: a node has only the keys node.*; what belongs to a run is given with pbm run start"));
        var seeds = parsed.GetValue(Seeds)!.Select(s => SeedOf(s, problems)).ToList();
        List<(string, string, string?)> options =
        [
            ("--host", "node.host", parsed.GetValue(_host)), ("--port", "node.port", Text(parsed.GetValue(_portOption))),
            ("--http-port", "node.http-port", Text(parsed.GetValue(_httpPortOption))),
            ("--ops-port", "node.ops-port", Text(parsed.GetValue(_opsPort))),
            ("--network", "node.network", parsed.GetValue(_network)),
            ("--corpora-dir", "node.corpora-dir", parsed.GetValue(_corporaDir)),
            ("--certs", "node.certs", parsed.GetValue(_certs)),
            ("--insecure", "node.security", parsed.GetValue(_insecure) ? NodeSettings.Insecure : null),
        ];
        if (seed)
            options.AddRange([
                ("--pbm-port", "node.pbm-port", Text(parsed.GetValue(PbmPort))),
                ("--dashboard-port", "node.dashboard-port", Text(parsed.GetValue(DashboardPort))),
                ("--no-dashboard", "node.dashboard", parsed.GetValue(NoDashboard) ? "false" : null),
                ("ELASTIC_DATABASE", "node.database", parsed.GetValue(Database) is null ? CommonOptions.EnvironmentDatabase : null),
                ("--database", "node.database", parsed.GetValue(Database)),
            ]);
        if (parsed.GetValue(_tokenFile) is not null && seeds.Count == 0)
            problems.Add("--token-file needs --seed HOST:PORT, a seed that has the authority's key");
        var settings = ConfigurationLoader.Load(
            new ConfigurationRequest(
                [], [.. sets[true]], Devices: parsed.GetValue(_devicesOption), DataDir: parsed.GetValue(_dataDir),
                EnvironmentDataDir: CommonOptions.EnvironmentDataDir)
            { Defaults = _defaults, Options = options },
            problems);
        return new NodeRequest(settings.Node, seed, seeds, parsed.GetValue(_preemptionFile), parsed.GetValue(_tokenFile));
    }

    private static Endpoint SeedOf(string text, List<string> problems)
    {
        if (!Endpoint.TryParse(text, out var seed, out var problem))
            problems.Add($"--seed {problem}, e.g. 10.0.0.5:{DefaultPort} or [::1]:{DefaultPort}");
        return seed;
    }

    private static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);
}

/// <summary>What <c>elastic seed</c> or <c>elastic worker</c> was asked to do.</summary>
/// <param name="TokenFile">Holds the join token of a node that has no certificate yet.</param>
internal sealed record NodeRequest(
    NodeSettings Node, bool Seed, IReadOnlyList<Endpoint> Seeds, string? PreemptionFile, string? TokenFile);
