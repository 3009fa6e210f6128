using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

// What the nodes say of themselves, and what a run makes of it: which may compute for it, which only store, which get nothing.
public sealed class Roster
{
    // A full disk may be cleared: after this long the node is tried again, and twice as long each time that it fails again.
    private static readonly TimeSpan Convalescence = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestConvalescence = TimeSpan.FromMinutes(30);

    private readonly Dictionary<NodeId, NodeReport.Enlist> _reports = [];
    private readonly Dictionary<NodeId, (string Why, TimeSpan Until)> _ailing = [];
    private readonly Dictionary<NodeId, int> _relapses = [];

    public IEnumerable<NodeReport.Enlist> Reports => _reports.Values;

    public bool Knows(NodeReport.Enlist report) => _reports.GetValueOrDefault(report.Node)?.Incarnation == report.Incarnation;

    public void Note(NodeReport.Enlist report) => _reports[report.Node] = report;

    public void Forget(NodeId node)
    {
        _reports.Remove(node);
        _ailing.Remove(node);
        _relapses.Remove(node);
    }

    /// <summary>A node cannot do what it is asked to; it rests for a while.</summary>
    public void Ail(NodeId node, string why, TimeSpan now)
    {
        var relapses = _relapses[node] = _relapses.GetValueOrDefault(node, -1) + 1;
        var rest = Convalescence * Math.Pow(2, Math.Min(relapses, 10));
        _ailing[node] = (why, now + (rest < LongestConvalescence ? rest : LongestConvalescence));
    }

    /// <summary>A node has done what it was asked to.</summary>
    public void Thrives(NodeId node)
    {
        if (!IsAiling(node))
            _relapses.Remove(node);
    }

    /// <summary>True when those that rested long enough are well again.</summary>
    public bool Recover(TimeSpan now)
    {
        var well = _ailing.Where(a => a.Value.Until <= now).Select(a => a.Key).ToList();
        well.ForEach(n => _ailing.Remove(n));
        return well.Count > 0;
    }

    public bool IsAiling(NodeId node) => _ailing.ContainsKey(node);

    /// <summary>The arithmetic of most devices; null while there is no device.</summary>
    public string? CommonArithmetic() => _reports.Values.Where(r => r.Arithmetic.Length > 0 && r.Devices.Length > 0)
        .GroupBy(r => r.Arithmetic).OrderByDescending(g => g.Sum(r => r.Devices.Length)).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;

    /// <summary>Why a node may not compute for this run; null where it may.</summary>
    public static string? Unfit(RunState run, NodeReport.Enlist report) =>
        report.Devices.Length > 0 && run.Arithmetic.Length > 0 && report.Arithmetic != run.Arithmetic
            ? $"it has {Run.OtherArithmetic(run.Arithmetic, report.Arithmetic)}: it stores for run {run.Id}, and computes nothing; start a worker where the arithmetic is the same"
            : null;

    /// <summary>The node as the fleet is to have it.</summary>
    public Fleet Enlist(Fleet fleet, RunState run, NodeReport.Enlist report) => fleet.Enlist(
        report.Node, Unfit(run, report) is null ? report.Devices : [], report.Seed, report.Leaving || IsAiling(report.Node));
}
