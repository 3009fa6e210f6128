namespace Elastic.Messages.Observations;

/// <summary>The runs are supervised on this seed from now on.</summary>
/// <param name="Seed">The seed's data plane, "host:port".</param>
[ObservedAs("supervision-began")]
public sealed record SupervisionBegan(string Seed) : Observation
{
    public override IEnumerable<Measure> Measures => [Measure.Count("elastic_supervisions_total")];
}

/// <summary>A seed serves its dashboard. Observed again once a day, since observations are kept for a while.</summary>
/// <param name="Seed">The seed's control plane, "host:port".</param>
/// <param name="Address">Address of the dashboard's pages, "http://host:port".</param>
[ObservedAs("dashboard-opened")]
public sealed record DashboardOpened(string Seed, string Address) : Observation;

/// <summary>A node has enlisted for the first time, restarted, or come back.</summary>
[ObservedAs("node-joined")]
public sealed record NodeJoined(NodeId Node, int Devices) : Observation
{
    public override IEnumerable<Measure> Measures => [Measure.Count("elastic_nodes_joined_total")];
}

/// <summary>A node is taken for lost, perhaps wrongly: its work is given to others.</summary>
[ObservedAs("node-lost")]
public sealed record NodeLost(NodeId Node, string Why) : Observation
{
    public override IEnumerable<Measure> Measures => [Measure.Count("elastic_nodes_lost_total")];
}

/// <summary>Observations that were not stored, because the database was slow or down for too long.</summary>
[ObservedAs("observations-dropped")]
public sealed record ObservationsDropped(long Count) : Observation
{
    public override IEnumerable<Measure> Measures => [new(MeasureKind.Sum, "elastic_observations_dropped_total", Count)];
}

/// <summary>The nodes that are there, and their devices.</summary>
[ObservedAs("nodes-there")]
public sealed record NodesThere(int Nodes, int Devices) : Observation
{
    public override IEnumerable<Measure> Measures =>
        [new(MeasureKind.Newest, "elastic_nodes", Nodes), new(MeasureKind.Newest, "elastic_devices", Devices)];
}
