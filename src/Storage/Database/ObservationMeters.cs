using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Elastic.Foundation;
using Elastic.Messages.Observations;

namespace Elastic.Storage;

/// <summary>Feeds the metrics from the observations' Measures.</summary>
internal static class ObservationMeters
{
    private static readonly ConcurrentDictionary<string, Counter<double>> Sums = new();
    private static readonly ConcurrentDictionary<string, Histogram<double>> Distributions = new();
    private static readonly ConcurrentDictionary<string, Series> Newest = new();

    public static void Count(Observation what)
    {
        foreach (var measure in what.Measures)
        {
            switch (measure.Kind)
            {
                case MeasureKind.Sum:
                    Sums.GetOrAdd(measure.Name, name => Telemetry.Meter.CreateCounter<double>(name)).Add(measure.Value, measure.Tags);
                    break;
                case MeasureKind.Distribution:
                    Distributions.GetOrAdd(measure.Name, name => Telemetry.Meter.CreateHistogram<double>(name))
                        .Record(measure.Value, measure.Tags);
                    break;
                default:
                    Newest.GetOrAdd(measure.Name, name => new Series(name, measure.Kind)).Show(measure);
                    break;
            }
        }
    }

    /// <summary>
    /// Shows the newest values no more: another seed supervises the runs now and shows its own. What was counted here stays counted.
    /// </summary>
    public static void Forget()
    {
        foreach (var series in Newest.Values)
            series.Forget();
    }

    /// <summary>The newest value for each combination of tags.</summary>
    private sealed class Series
    {
        private readonly ConcurrentDictionary<string, Measurement<double>> _newest = new(StringComparer.Ordinal);

        public Series(string name, MeasureKind kind)
        {
            _ = kind == MeasureKind.Total
                ? (ObservableInstrument<double>)Telemetry.Meter.CreateObservableCounter(name, () => _newest.Values)
                : Telemetry.Meter.CreateObservableGauge(name, () => _newest.Values);
        }

        public void Show(Measure measure) =>
            _newest[string.Join('\n', measure.Tags.Select(t => $"{t.Key}={t.Value}"))] = new(measure.Value, measure.Tags);

        public void Forget() => _newest.Clear();
    }
}
