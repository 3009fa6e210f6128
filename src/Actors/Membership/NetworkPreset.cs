using Akka.Configuration;
using Elastic.Foundation;

namespace Elastic.Actors.Membership;

/// <summary>How long a node may be silent before the cluster takes it for dead, on one kind of network; see hocon/network/*.conf.</summary>
public sealed class NetworkPreset
{
    private static readonly string[] Names = ["lan", "cloud", "spot"];

    private NetworkPreset(string name, Config settings) => (Name, Settings) = (name, settings);

    public string Name { get; }

    internal Config Settings { get; }

    /// <summary>Loads a preset by its name: lan, cloud or spot.</summary>
    /// <exception cref="ElasticException">There is no preset of that name.</exception>
    public static NetworkPreset Load(string name)
    {
        if (!Names.Contains(name, StringComparer.Ordinal))
            throw new ElasticException($"there is no network preset \"{name}\": take {string.Join(", ", Names[..^1])} or {Names[^1]}");
        using var stream = typeof(NetworkPreset).Assembly.GetManifestResourceStream($"hocon/network/{name}.conf")!;
        using var reader = new StreamReader(stream);
        return new NetworkPreset(name, ConfigurationFactory.ParseString(reader.ReadToEnd()));
    }
}
