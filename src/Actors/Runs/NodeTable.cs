using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;

namespace Elastic.Actors.Runs;

/// <summary>
/// The nodes that have enlisted, when each was last heard, and the references to their links. Part of RunsActor: used on its mailbox
/// only.
/// </summary>
internal sealed class NodeTable(TimeProvider time)
{
    // A liveness connection reports a death at once. Without one (a firewall), only heartbeats show it.
    private static readonly TimeSpan MostSilence = TimeSpan.FromSeconds(5);

    // The liveness connection beats on a thread of its own. Where no heartbeat comes beside it, the node itself has failed.
    private static readonly TimeSpan MostSilenceWithLiveness = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(5);

    // A suspected node may still answer, and have blobs. One that stays away would only cost each node that asks it a failed attempt.
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(30);

    // Nobody reads more, and a page of nodes must fit a message.
    private const int MostWorks = 10;

    private readonly Dictionary<NodeId, Entry> _nodes = [];
    private readonly HashSet<(NodeId, string)> _connections = [];
    private readonly HashSet<NodeId> _distrusted = [];

    // A node sends a heartbeat every second.
    private static readonly TimeSpan Beats = TimeSpan.FromSeconds(3);
    private readonly Dictionary<string, long> _clashes = [];            // incarnation -> when it was first seen beside another one

    private NodesThere? _there;

    public IEnumerable<(NodeReport.Enlist Report, IActorRef Link)> Enlisted =>
        _nodes.Values.Where(n => !n.IsLost).Select(n => (n.Report, n.Link));

    public IEnumerable<IActorRef> Links => Enlisted.Select(n => n.Link);

    /// <summary>How many nodes and devices are there; null where that is as it was the last time.</summary>
    public NodesThere? Change()
    {
        var now = new NodesThere(Enlisted.Count(), Enlisted.Sum(n => n.Report.Devices.Length));
        return now == _there ? null : _there = now;
    }

    /// <summary>The name of a node for people; its id where the node is not known.</summary>
    public string AddressOf(NodeId node) => _nodes.TryGetValue(node, out var known) ? known.Report.Address : node.Value;

    /// <summary>
    /// The answer where two processes have one id, because a data directory was copied: the first process stays; the other one gets the
    /// remedy once it is certain that the first is not just ending. Null where no two processes clash.
    /// </summary>
    public NodeNews? Clash(NodeReport.Enlist report)
    {
        if (!_nodes.TryGetValue(report.Node, out var known) || known.IsLost || known.Report.Incarnation == report.Incarnation
            || known.Report.Address == report.Address || time.GetElapsedTime(known.Heard) > Beats)
        {
            _clashes.Remove(report.Incarnation);
            return null;
        }

        var since = _clashes.TryGetValue(report.Incarnation, out var first) ? first : _clashes[report.Incarnation] = time.GetTimestamp();
        return time.GetElapsedTime(since) > MostSilenceWithLiveness
            ? new NodeNews.Refused(
                $"the node {report.Node} is at {known.Report.Address} already: this data directory was copied from there; " +
                "delete the file node-id in it, then start this process again")
            : new NodeNews.Wait($"the node {report.Node} is at {known.Report.Address}");
    }

    /// <summary>
    /// False where the node has enlisted with another link than this one: what it says in the node's name counts for nothing.
    /// </summary>
    public bool MaySpeakFor(NodeId node, IActorRef link) => !_nodes.TryGetValue(node, out var known) || known.Link.Equals(link);

    /// <summary>
    /// Why a report is not a node's own: it names a data plane on another machine than its control plane, or comes from another machine
    /// than either. Other nodes fetch from where the report says, so one that could name any address would make them ask there.
    /// </summary>
    /// <param name="from">Whom the report came from.</param>
    public static string? ProblemOf(NodeReport.Enlist report, Address from)
    {
        if (!Endpoint.TryParse(report.Address, out var control, out var problem)
            || !Endpoint.TryParse(report.Endpoint, out var data, out problem))
            return problem;
        if (control.Host != data.Host)
            return $"its control plane is {control}, and its data plane {data}: both are on one machine";
        return from.HasLocalScope || from.HostOrNull() == control.Host ? null : $"it says that it is {control}, and speaks from {from}";
    }

    /// <summary>
    /// True where a report comes from the control plane that it names, to which its connection belongs: an answer goes to no third process.
    /// </summary>
    /// <param name="from">Whom the report came from.</param>
    public static bool IsFrom(NodeReport.Enlist report, Address from) =>
        from.HasLocalScope || (Endpoint.TryParse(report.Address, out var control, out _)
            && from.HostOrNull() == control.Host && from.Port == control.Port);

    /// <summary>Records a heartbeat.</summary>
    /// <returns>True when the node is new, has started anew, or has come back.</returns>
    public bool Note(NodeReport.Enlist report, IActorRef link)
    {
        var isNew = !_nodes.TryGetValue(report.Node, out var known) || known.IsLost
            || known.Report.Incarnation != report.Incarnation || !known.Link.Equals(link);
        _nodes[report.Node] = new Entry(report, link, time.GetTimestamp(), false);
        return isNew;
    }

    public void Connected(NodeId node, string incarnation) => _connections.Add((node, incarnation));

    /// <summary>True when the broken liveness connection belonged to the node's present incarnation.</summary>
    public bool IsCurrent(NodeId node, string incarnation)
    {
        _connections.Remove((node, incarnation));
        return _nodes.TryGetValue(node, out var known) && known.Report.Incarnation == incarnation;
    }

    /// <summary>Nodes that were silent for too long. Also forgets nodes that were given up long ago.</summary>
    public IReadOnlyList<NodeId> Silent()
    {
        foreach (var old in _nodes.Where(n => n.Value.IsLost && time.GetElapsedTime(n.Value.Heard) > Forgotten).Select(n => n.Key).ToList())
            _nodes.Remove(old);
        return
        [
            .. _nodes.Where(n => !n.Value.IsLost && time.GetElapsedTime(n.Value.Heard) >
                (IsHeld(n.Value) ? MostSilenceWithLiveness : MostSilence)).Select(n => n.Key),
        ];
    }

    // Its process is known to live: by its liveness connection, or because it is this one.
    private bool IsHeld(Entry node) =>
        _connections.Contains((node.Report.Node, node.Report.Incarnation)) || node.Link.Path.Address.HasLocalScope;

    public IEnumerable<NodeId> Of(IActorRef link) => _nodes.Where(n => n.Value.Link.Equals(link)).Select(n => n.Key);

    /// <summary>True where the node has said that it leaves, or that it may be switched off: its end is what it announced.</summary>
    public bool IsLeaving(NodeId node) => _nodes.TryGetValue(node, out var known) && IsLeaving(known.Report);

    private static bool IsLeaving(NodeReport.Enlist report) => report.Leaving && (report.Drained || !report.Draining);

    /// <summary>What a release of the node has to repeat.</summary>
    public int DrainsOf(NodeId node) => _nodes.TryGetValue(node, out var known) ? known.Report.Drains : 0;

    /// <summary>Gives a node up. One that was leaving is gone for good, and forgotten at once.</summary>
    /// <returns>False when it was given up before.</returns>
    public bool Lose(NodeId node)
    {
        if (!_nodes.TryGetValue(node, out var known) || known.IsLost)
            return false;
        if (IsLeaving(known.Report))
            _nodes.Remove(node);
        else
            _nodes[node] = known with { IsLost = true };
        return true;
    }

    /// <summary>A run has put the node into quarantine.</summary>
    public void Distrust(NodeId node) => _distrusted.Add(node);

    /// <summary>The nodes as a person sees them.</summary>
    public IEnumerable<NodeView> Views() => Known.Select(n => new NodeView
    {
        Node = n.Report.Node,
        Address = n.Report.Address,
        Seed = n.Report.Seed,
        Devices = [.. n.Report.Devices.Select(d => d.Value)],
        Endpoint = n.Report.Endpoint,
        Version = n.Report.Version,
        State = n.IsLost ? "suspected" : StateOf(n.Report),
        Work =
        [
            .. n.Report.Pieces().Take(MostWorks).Select(
                w => $"{w.Job} {w.Key.Kind} {w.Key.Number}" + (ComputeWork.ReplicaOf(w.Key) is { } replica ? $" replica {replica}" : "")
                    + (ComputeStageWork.StageOf(w.Key) is > 0 and var stage ? $" stage {stage}" : "")),
            .. n.Report.Pieces().Count() is > MostWorks and var all ? [$"and {all - MostWorks} more"] : Array.Empty<string>(),
        ],
        Arithmetic = n.Report.Arithmetic,
        FreeMemoryBytes = n.Report.FreeMemoryBytes,
        Labels = n.Report.Labels,
        Sharing = ReplicaSharing.Checked(n.Report.Sharing),
        Uses = n.Report.Uses,
        CertificateExpires = n.Report.CertificateExpires,
    });

    // Who drains a node wants to know when it may be switched off, of one in quarantine, too.
    private string StateOf(NodeReport.Enlist report) => report switch
    {
        { Drained: true } => "drained",
        { Draining: true } => "draining",
        _ when _distrusted.Contains(report.Node) => "quarantined",
        { Leaving: true } => "leaving",
        _ => "up",
    };

    private IEnumerable<Entry> Known => _nodes.Values.Where(n => !n.IsLost || time.GetElapsedTime(n.Heard) < Remembered);

    private sealed record Entry(NodeReport.Enlist Report, IActorRef Link, long Heard, bool IsLost);
}
