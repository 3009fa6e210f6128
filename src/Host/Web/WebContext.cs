using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Web;

/// <summary>What all requests read: the cluster, asked once for all pages that look at the same moment.</summary>
internal sealed class WebContext
{
    // A person sees no difference, and a supervisor answers a few questions a second at most.
    private static readonly TimeSpan Age = TimeSpan.FromMilliseconds(750);

    // A curve is read from the whole journal of its run, and a node looks at its threads for a moment.
    private static readonly TimeSpan CurveAge = TimeSpan.FromSeconds(4), LoadAge = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CurveDeadline = TimeSpan.FromSeconds(30);

    // A page says that the supervisors are moving; it does not wait until they have.
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan DashboardsAge = TimeSpan.FromSeconds(10);
    private const int MostCurves = 32, MostLoads = 1000, MostDashboards = 200;

    private readonly LatestOf<RunName, RunCurve?> _curves;

    public WebContext(IClusterControl control, PbmService service, TimeProvider time)
    {
        (Control, Service, Time) = (control, service, time);
        Runs = new Latest<RunView[]>(control.RunsAsync, Age, Deadline, time);
        Nodes = new Latest<NodeView[]>(control.NodesAsync, Age, Deadline, time);
        Cluster = new Latest<ClusterMembers>(control.ClusterAsync, Age, Deadline, time);
        Loads = new LatestOf<NodeId, NodeReply>(
            (node, cancel) => control.ThreadsAsync(node.Value, Origins.Now("http"), cancel), LoadAge, Deadline, MostLoads, time);
        _curves = new LatestOf<RunName, RunCurve?>(control.CurveAsync, CurveAge, CurveDeadline, MostCurves, time);
        Dashboards = new Latest<IReadOnlyList<string>>(FindDashboardsAsync, DashboardsAge, Deadline, time);
    }

    public IClusterControl Control { get; }

    public PbmService Service { get; }

    public TimeProvider Time { get; }

    public Latest<RunView[]> Runs { get; }

    public Latest<NodeView[]> Nodes { get; }

    public Latest<ClusterMembers> Cluster { get; }

    /// <summary>What the threads of a node do.</summary>
    public LatestOf<NodeId, NodeReply> Loads { get; }

    /// <summary>The addresses at which the seeds that are members serve their pages.</summary>
    public Latest<IReadOnlyList<string>> Dashboards { get; }

    /// <summary>The newest run of that name, by the journal: also while no supervisor answers.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public async Task<RunCurve> CurveAsync(RunName run, CancellationToken cancel) => await _curves.GetAsync(run, cancel)
        ?? throw new NotFoundException($"there is no run {run}: GET /api/v1/runs lists all");

    /// <summary>Names of nodes for people; their ids, while no supervisor answers.</summary>
    public async Task<Func<NodeId, string>> NodeNamesAsync(CancellationToken cancel) =>
        RunExplanation.NamesOf(await KnownNodesAsync(cancel));

    /// <summary>The nodes; none while no supervisor answers.</summary>
    public async Task<IReadOnlyList<NodeView>> KnownNodesAsync(CancellationToken cancel)
    {
        try
        {
            return await Nodes.GetAsync(cancel);
        }
        catch (ElasticException)
        {
            return [];
        }
    }

    private async Task<IReadOnlyList<string>> FindDashboardsAsync(CancellationToken cancel)
    {
        var opened = await Control.ObservedAsync(
            new ObservationQuery(Kinds: [typeof(DashboardOpened)], AtMost: MostDashboards, Newest: true), cancel);
        var newest = opened.Select(o => o.What).OfType<DashboardOpened>()
            .GroupBy(d => d.Seed).ToDictionary(d => d.Key, d => d.Last().Address);
        return
        [
            .. (await Cluster.GetAsync(cancel)).Members.Where(m => m.Status == "Up").OrderBy(m => m.Address, StringComparer.Ordinal)
                .Select(m => newest.GetValueOrDefault(m.Address)).OfType<string>().Distinct(),
        ];
    }
}
