using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>The known architectures, by the name that <c>model.architecture</c> gives them.</summary>
public static class Architectures
{
    private static readonly Dictionary<string, Func<ModelSettings, IArchitecture>> Known = new(StringComparer.Ordinal)
    {
        ["gpt2"] = settings => new Gpt2Architecture(settings),
        ["llama"] = settings => new LlamaArchitecture(settings),
        ["bert"] = settings => new BertArchitecture(settings),
        ["transformer"] = settings => new TransformerArchitecture(settings),
    };

    /// <summary>The architecture that the settings name, in their size.</summary>
    /// <exception cref="ElasticException">The settings do not fit together.</exception>
    public static IArchitecture Open(ModelSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Problems().FirstOrDefault() is { } problem)
            throw new ElasticException(problem);
        var network = Known.TryGetValue(settings.Architecture, out var open)
            ? open(settings)
            : throw new ElasticException(
                $"model.architecture = \"{settings.Architecture}\": use one of {string.Join(", ", Known.Keys.Select(k => $"\"{k}\""))}");
        return settings.Lora.IsUsed ? new LoraArchitecture(network, settings.Lora) : network;
    }

    /// <summary>Where each parameter of the model lies.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static FlatLayout LayoutOf(ModelSettings settings) => new(Open(settings).Parameters);
}
