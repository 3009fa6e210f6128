using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Elastic.Foundation;

/// <summary>The meter and the source of spans of this process. An exporter listens to both by their name.</summary>
public static class Telemetry
{
    public const string Name = "Elastic";

    public static readonly Meter Meter = new(Name);

    public static readonly ActivitySource Spans = new(Name);
}
