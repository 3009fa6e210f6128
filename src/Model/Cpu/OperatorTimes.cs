using System.Diagnostics;
using Elastic.Model.Tapes;

namespace Elastic.Model.Cpu;

/// <summary>How long each kind of operation has taken, for whoever looks for the largest cost.</summary>
internal sealed class OperatorTimes
{
    private readonly Dictionary<string, double> _seconds = new(StringComparer.Ordinal);

    /// <summary>Seconds by the name of the operator and of the pass.</summary>
    public IReadOnlyDictionary<string, double> Seconds => _seconds;

    /// <summary>Forgets all.</summary>
    public void Clear() => _seconds.Clear();

    /// <summary>Adds the time since <paramref name="start"/>, of <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public void Add(Operation operation, PassKind kind, long start)
    {
        var name = $"{operation.GetType().Name.Replace("Operation", "", StringComparison.Ordinal)}, {kind.ToString().ToLowerInvariant()}";
        _seconds[name] = _seconds.GetValueOrDefault(name) + Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
