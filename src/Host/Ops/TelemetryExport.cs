using Elastic.Foundation;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Elastic.Host.Ops;

/// <summary>
/// Gives the metrics of this process to whoever scrapes the ops port, and metrics and spans to a collector that OpenTelemetry's own
/// variables name (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c> and the others).
/// </summary>
internal sealed class TelemetryExport : IDisposable
{
    private const string Variable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    // From a step of a tiny model to one of a large one on a processor; the default buckets of OpenTelemetry are milliseconds of requests.
    private static readonly double[] Seconds =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000];

    private readonly TracerProvider? _spans;

    /// <param name="collects">A collector is told of everything.</param>
    private TelemetryExport(string? instance, bool collects)
    {
        var resource = ResourceBuilder.CreateDefault().AddService("elastic", serviceInstanceId: instance);
        var metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource)
            .AddMeter(Telemetry.Name).AddMeter("System.Runtime")
            .AddView(i => i.Name.StartsWith("elastic_", StringComparison.Ordinal) && i.Name.EndsWith("_seconds", StringComparison.Ordinal)
                && i.GetType().Name.StartsWith("Histogram", StringComparison.Ordinal)
                ? new ExplicitBucketHistogramConfiguration { Boundaries = Seconds } : null)
            .AddPrometheusExporter(options => options.ScrapeResponseCacheDurationMilliseconds = 0);
        Metrics = (collects ? metrics.AddOtlpExporter() : metrics).Build();
        _spans = collects
            ? Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Telemetry.Name).AddOtlpExporter().Build() : null;
    }

    public MeterProvider Metrics { get; }

    /// <summary>Begins to collect; null where nobody would ever ask.</summary>
    /// <param name="instance">
    /// The endpoint of this node's control plane, by which people know it; null where it is not known yet: then one is drawn.
    /// </param>
    /// <param name="isScraped">There is an ops port.</param>
    public static TelemetryExport? Begin(string? instance, bool isScraped)
    {
        var collects = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable));
        return isScraped || collects ? new TelemetryExport(instance, collects) : null;
    }

    /// <summary>Sends what a collector has not got yet.</summary>
    public void Dispose()
    {
        Metrics.Dispose();
        _spans?.Dispose();
    }
}
