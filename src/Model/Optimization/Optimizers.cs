using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Model.Optimization;

/// <summary>The known optimizers, by the name that <c>optimizer.kind</c> gives them.</summary>
public static class Optimizers
{
    private static readonly Dictionary<string, Func<OptimizerSettings, IOptimizer>> Known = new(StringComparer.Ordinal)
    {
        ["adamw"] = settings => new AdamW(settings),
        ["muon"] = settings => new Muon(settings),
    };

    /// <summary>The optimizer that the settings name.</summary>
    /// <exception cref="ElasticException">No optimizer has that name.</exception>
    public static IOptimizer Open(OptimizerSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return Known.TryGetValue(settings.Kind, out var open)
            ? open(settings)
            : throw new ElasticException(
                $"optimizer.kind = \"{settings.Kind}\": use one of {string.Join(", ", Known.Keys.Select(k => $"\"{k}\""))}");
    }
}
