using System.CommandLine;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary>The options of <c>elastic seed</c> and <c>elastic worker</c>: where a node listens, stores and computes.</summary>
internal sealed class NodeOptions
{
    public const int DefaultPort = 4053;
    public const int DefaultHttpPort = 4080;
    public const int DefaultPbmPort = 9110;

    private readonly Dictionary<string, string> _defaults;
    private readonly Option<string?> _dataDir = CommonOptions.DataDir();

    private readonly Option<string?> _host = new("--host")
    {
        Description = "The address that this node binds, and by which others reach it. Default: 127.0.0.1, which no other machine reaches.",
        HelpName = "ADDRESS",
    };

    private readonly Option<int?> _portOption, _httpPortOption;
    private readonly Option<string?> _devicesOption;

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

    private readonly Option<string[]> _set = CommonOptions.Set();

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
            Description = $"auto, cpu:N (N slots of one thread), cuda:all, cuda:0,1 or none. Default: {devices}.",
            HelpName = "DEVICES",
        };
    }

    /// <summary>Seeds to join.</summary>
    public Option<string[]> Seeds { get; }

    /// <summary>On seeds: the port on which the seed answers pbm.</summary>
    public Option<int?> PbmPort { get; } = new("--pbm-port")
    { Description = $"Port for pbm; 0 for any free one. Default: {DefaultPbmPort}.", HelpName = "PORT" };

    /// <summary>On seeds: where the journal is.</summary>
    public Option<string?> Database { get; } = new("--database")
    {
        Description = "Where the journal is: sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/DATABASE for seeds on several machines. " +
                      "Default: ELASTIC_DATABASE, else journal.db in the data directory.",
        HelpName = "URL",
    };

    /// <summary>The options that both commands have.</summary>
    public IEnumerable<Option> Common =>
        [Seeds, _host, _portOption, _httpPortOption, _devicesOption, _dataDir, _network, _corporaDir, _preemptionFile, _set];

    /// <summary>All settings of a node, for the help.</summary>
    public IEnumerable<string> Settings => SettingsHelp.Lines(SettingsSchema.Node, _defaults);

    /// <summary>Reads the request of the command line.</summary>
    /// <exception cref="SettingsException">Names every problem.</exception>
    public NodeRequest Read(ParseResult parsed, bool seed)
    {
        var sets = parsed.GetValue(_set)!;
        if (sets.FirstOrDefault(s => !s.StartsWith("node.", StringComparison.Ordinal)) is { } other)
            throw new SettingsException(
                $"--set {other}: a node has only the keys node.*; what belongs to a run is given with pbm run start");
        List<string> all =
        [
            .. _defaults.SelectMany(d => Given(d.Key, d.Value)),
            .. sets,
            .. Given("node.host", parsed.GetValue(_host)), .. Given("node.port", parsed.GetValue(_portOption)),
            .. Given("node.http-port", parsed.GetValue(_httpPortOption)),
            .. Given("node.network", parsed.GetValue(_network)), .. Given("node.corpora-dir", parsed.GetValue(_corporaDir)),
        ];
        if (seed)
            all.AddRange([
                .. Given("node.pbm-port", parsed.GetValue(PbmPort)),
                .. Given("node.database", parsed.GetValue(Database) ?? CommonOptions.EnvironmentDatabase),
            ]);
        var settings = ConfigurationLoader.Load(new ConfigurationRequest(
            [], all, Devices: parsed.GetValue(_devicesOption), DataDir: parsed.GetValue(_dataDir),
            EnvironmentDataDir: CommonOptions.EnvironmentDataDir));
        return new NodeRequest(settings.Node, seed, [.. parsed.GetValue(Seeds)!.Select(SeedOf)], parsed.GetValue(_preemptionFile));
    }

    private static Endpoint SeedOf(string text) => Endpoint.TryParse(text, out var seed, out var problem)
        ? seed
        : throw new SettingsException($"--seed {problem}, e.g. 10.0.0.5:{DefaultPort} or [::1]:{DefaultPort}");

    private static IEnumerable<string> Given(string key, object? value) => value is null ? [] : [$"{key}=\"{value}\""];
}

/// <summary>What <c>elastic seed</c> or <c>elastic worker</c> was asked to do.</summary>
internal sealed record NodeRequest(NodeSettings Node, bool Seed, IReadOnlyList<Endpoint> Seeds, string? PreemptionFile);
