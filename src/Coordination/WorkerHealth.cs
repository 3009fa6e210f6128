using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>Keeps the nodes' newest reports, and decides which nodes may compute for a run, which only store, and which rest.</summary>
public sealed class WorkerHealth
{
    // A full disk may be cleared: the node is tried again after this long, and after twice as long each time that it fails again.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMinutes(30);

    // Nobody reads more, and a view must fit a message.
    private const int MostShown = 20;

    private readonly Dictionary<NodeId, NodeReport.Enlist> _reports = [];
    private readonly Dictionary<NodeId, (string Why, TimeSpan Until)> _unhealthy = [];
    private readonly Dictionary<NodeId, int> _setbacks = [];

    public IEnumerable<NodeReport.Enlist> Reports => _reports.Values;

    /// <summary>A node's newest report; null where the node is not there.</summary>
    public NodeReport.Enlist? Of(NodeId node) => _reports.GetValueOrDefault(node);

    public bool Knows(NodeReport.Enlist report) => _reports.GetValueOrDefault(report.Node)?.Incarnation == report.Incarnation;

    public void Note(NodeReport.Enlist report) => _reports[report.Node] = report;

    public void Forget(NodeId node)
    {
        _reports.Remove(node);
        _unhealthy.Remove(node);
        _setbacks.Remove(node);
    }

    /// <summary>Lets a node that cannot do its work rest for a while.</summary>
    public void MarkUnhealthy(NodeId node, string why, TimeSpan now)
    {
        var setbacks = _setbacks[node] = _setbacks.GetValueOrDefault(node, -1) + 1;
        var rest = Rest * Math.Pow(2, Math.Min(setbacks, 10));
        _unhealthy[node] = (why, now + (rest < LongestRest ? rest : LongestRest));
    }

    /// <summary>Notes that a node has done its work: unless it rests, its next rest is a short one again.</summary>
    public void MarkHealthy(NodeId node)
    {
        if (!IsUnhealthy(node))
            _setbacks.Remove(node);
    }

    /// <summary>Ends the rests that are over; true when there was one.</summary>
    public bool Recover(TimeSpan now)
    {
        var well = _unhealthy.Where(a => a.Value.Until <= now).Select(a => a.Key).ToList();
        well.ForEach(n => _unhealthy.Remove(n));
        return well.Count > 0;
    }

    public bool IsUnhealthy(NodeId node) => _unhealthy.ContainsKey(node);

    /// <summary>The nodes that rest, for people.</summary>
    public RestingNode[] Resting(TimeSpan now) =>
    [
        .. _unhealthy.OrderBy(r => r.Value.Until).ThenBy(r => r.Key.Value, StringComparer.Ordinal).Take(MostShown)
            .Select(r => new RestingNode(
                r.Key, Of(r.Key)?.Address ?? r.Key.Value, OneLine.Of(r.Value.Why), Math.Max(0, (r.Value.Until - now).TotalSeconds))),
    ];

    /// <summary>The arithmetic of most devices; null while there is no device.</summary>
    /// <param name="needs">Labels that a node must have to count; null where every node counts.</param>
    public string? CommonArithmetic(IReadOnlyList<string>? needs = null) => _reports.Values
        .Where(r => r.Arithmetic.Length > 0 && r.Devices.Length > 0 && Lacks(r, needs) is [])
        .GroupBy(r => r.Arithmetic).OrderByDescending(g => g.Sum(r => r.Devices.Length))
        .ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;

    /// <summary>Why a node may not compute for this run; null where it may.</summary>
    /// <param name="needs">Labels that the run needs.</param>
    public static string? Unfit(RunState run, NodeReport.Enlist report, IReadOnlyList<string>? needs = null) =>
        run.Quarantined.TryGetValue(report.Node.Value, out var why) ? why
        : report.Devices.Length > 0 && run.Arithmetic.Length > 0 && report.Arithmetic != run.Arithmetic
            ? $"it has {Run.OtherArithmetic(run.Arithmetic, report.Arithmetic)}: it stores for run {run.Id}, and computes nothing; " +
              "start a worker where the arithmetic is the same"
        : report.Devices.Length > 0 && Lacks(report, needs) is [_, ..] lacks
            ? $"it lacks labels that the run needs ({string.Join(", ", lacks)}): it stores for run {run.Id}, and computes nothing; "
              + "labels are given with node.labels where a node is started"
            : null;

    private static IReadOnlyList<string> Lacks(NodeReport.Enlist report, IReadOnlyList<string>? needs) =>
        needs is { Count: > 0 } ? [.. needs.Except(report.Labels)] : [];

    /// <summary>
    /// Enters the node into the view: without devices where it is unfit, as leaving where it rests. So it is in quarantine, too: others may
    /// fetch what it holds, since bytes are verified by their digests, and no copy on it counts.
    /// </summary>
    /// <inheritdoc cref="Unfit" path="/param"/>
    public ClusterView Enlist(
        ClusterView view, RunState run, NodeReport.Enlist report, IReadOnlyList<string>? needs = null) => view.Enlist(
        report.Node, Unfit(run, report, needs) is null ? report.Devices : [], report.Seed,
        report.Leaving || IsUnhealthy(report.Node) || run.IsQuarantined(report.Node), report.Endpoint);
}
