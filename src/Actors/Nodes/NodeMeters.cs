using System.Diagnostics.Metrics;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Nodes;

/// <summary>What a node that computes counts: its own time and bytes, which no seed sees.</summary>
internal static class NodeMeters
{
    private static readonly Histogram<double> Steps = Telemetry.Meter.CreateHistogram<double>(
        "elastic_step_seconds", description: "One inner step of one replica: forward and backward of its micro-batches, and the update.");

    private static readonly Counter<double> Averaging = Telemetry.Meter.CreateCounter<double>(
        "elastic_averaging_bytes_total", description: "Received from other nodes to sum contributions.");

    public static void Step(RunId run, TimeSpan duration) => Steps.Record(duration.TotalSeconds, Of(run));

    public static void Averaged(RunId run, long bytes) => Averaging.Add(bytes, Of(run));

    private static KeyValuePair<string, object?> Of(RunId run) => new("run", run.Value);
}
