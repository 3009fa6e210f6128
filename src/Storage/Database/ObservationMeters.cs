using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Elastic.Messages.Observations;

namespace Elastic.Storage;

/// <summary>Feeds the metrics from the observations' Measures. An exporter listens to the meter "Elastic".</summary>
internal static class ObservationMeters
{
    public const string Name = "Elastic";

    private static readonly Meter Meter = new(Name);
    private static readonly ConcurrentDictionary<string, Counter<double>> Sums = new();
    private static readonly ConcurrentDictionary<string, Histogram<double>> Distributions = new();
    private static readonly ConcurrentDictionary<string, Gauge<double>> Newest = new();

    public static void Count(Observation what)
    {
        foreach (var measure in what.Measures)
        {
            switch (measure.Kind)
            {
                case MeasureKind.Sum:
                    Sums.GetOrAdd(measure.Name, name => Meter.CreateCounter<double>(name)).Add(measure.Value, measure.Tags);
                    break;
                case MeasureKind.Distribution:
                    Distributions.GetOrAdd(measure.Name, name => Meter.CreateHistogram<double>(name)).Record(measure.Value, measure.Tags);
                    break;
                default:
                    Newest.GetOrAdd(measure.Name, name => Meter.CreateGauge<double>(name)).Record(measure.Value, measure.Tags);
                    break;
            }
        }
    }
}
