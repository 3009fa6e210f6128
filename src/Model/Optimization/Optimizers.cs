using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Model.Optimization;

/// <summary>The known optimizers, by name.</summary>
public static class Optimizers
{
    private static readonly Dictionary<string, Func<OptimizerSettings, IOptimizer>> Known = new(StringComparer.Ordinal)
    {
        ["adamw"] = settings => new AdamW(settings),
    };

    /// <summary>The optimizer of that name with these settings.</summary>
    /// <exception cref="ElasticException">No optimizer has that name.</exception>
    public static IOptimizer Open(OptimizerSettings settings, string name = "adamw")
    {
        ArgumentNullException.ThrowIfNull(settings);
        return Known.TryGetValue(name, out var open)
            ? open(settings)
            : throw new ElasticException(
                $"there is no optimizer \"{name}\": use one of {string.Join(", ", Known.Keys.Select(k => $"\"{k}\""))}");
    }
}
