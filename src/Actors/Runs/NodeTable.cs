using Akka.Actor;
using Elastic.Messages;
using Elastic.Coordination;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Runs;

// The nodes that have enlisted, when each was heard of last, and the ways to them. Part of RunsActor: used on its mailbox only.
internal sealed class NodeTable(TimeProvider time)
{
    // A liveness connection tells of a death at once. Without one (a firewall), the heartbeats have to do.
    private static readonly TimeSpan MostSilence = TimeSpan.FromSeconds(5);

    // A liveness connection beats by itself. Where nothing else comes, what it stands for has failed.
    private static readonly TimeSpan MostSilenceWithLiveness = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(5);

    // A node that is only suspected may still answer, and have blobs. One that stays away would only cost everybody a vain attempt.
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(30);

    private readonly Dictionary<NodeId, Entry> _nodes = [];
    private readonly HashSet<(NodeId, string)> _connections = [];
    private readonly HashSet<NodeId> _distrusted = [];

    // A node says every second that it is there.
    private static readonly TimeSpan Beats = TimeSpan.FromSeconds(3);
    private readonly Dictionary<string, long> _clashes = [];            // incarnation -> when it was first seen beside another one

    public IEnumerable<(NodeReport.Enlist Report, IActorRef Link)> Enlisted => _nodes.Values.Where(n => !n.IsLost).Select(n => (n.Report, n.Link));

    public IEnumerable<IActorRef> Links => Enlisted.Select(n => n.Link);

    /// <summary>What people call a node; its id where it is not known.</summary>
    public string AddressOf(NodeId node) => _nodes.TryGetValue(node, out var known) ? known.Report.Address : node.Value;

    /// <summary>
    /// What to answer where two processes have one id, because a data directory was copied: the first one stays, and the other one is told what
    /// to do once it is sure that the first is not just ending. Null where all is well.
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
            ? new NodeNews.Refused($"the node {report.Node} is at {known.Report.Address} already: this data directory was copied from there; " +
                                   "delete the file node-id in it, then start this process again")
            : new NodeNews.Wait($"the node {report.Node} is at {known.Report.Address}");
    }

    /// <summary>Takes note of a heartbeat.</summary>
    /// <returns>True when the node is new, has begun anew, or has come back.</returns>
    public bool Note(NodeReport.Enlist report, IActorRef link)
    {
        var isNew = !_nodes.TryGetValue(report.Node, out var known) || known.IsLost || known.Report.Incarnation != report.Incarnation || !known.Link.Equals(link);
        _nodes[report.Node] = new Entry(report, link, time.GetTimestamp(), false);
        return isNew;
    }

    public void Connected(NodeId node, string incarnation) => _connections.Add((node, incarnation));

    /// <summary>True when a liveness connection that broke was that of the node as it is now.</summary>
    public bool IsCurrent(NodeId node, string incarnation)
    {
        _connections.Remove((node, incarnation));
        return _nodes.TryGetValue(node, out var known) && known.Report.Incarnation == incarnation;
    }

    /// <summary>Nodes that were not heard of for too long. Those that were given up long since are forgotten.</summary>
    public IReadOnlyList<NodeId> Silent()
    {
        foreach (var old in _nodes.Where(n => n.Value.IsLost && time.GetElapsedTime(n.Value.Heard) > Forgotten).Select(n => n.Key).ToList())
            _nodes.Remove(old);
        return
        [
            .. _nodes.Where(n => !n.Value.IsLost && time.GetElapsedTime(n.Value.Heard) >
                (_connections.Contains((n.Key, n.Value.Report.Incarnation)) ? MostSilenceWithLiveness : MostSilence)).Select(n => n.Key),
        ];
    }

    public IEnumerable<NodeId> Of(IActorRef link) => _nodes.Where(n => n.Value.Link.Equals(link)).Select(n => n.Key);

    /// <summary>Gives a node up.</summary>
    /// <returns>False when it was given up before.</returns>
    public bool Lose(NodeId node)
    {
        if (!_nodes.TryGetValue(node, out var known) || known.IsLost)
            return false;
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
        State = n.IsLost ? "suspected" : _distrusted.Contains(n.Report.Node) ? "quarantined" : n.Report.Leaving ? "leaving" : "up",
        Work = [.. n.Report.Works.Select(w => $"{w.Job} {w.Key.Kind} {w.Key.Number}" + (w.Key.Kind == ComputeWork.Kind.Name ? $" replica {w.Key.Index}" : ""))],
        Arithmetic = n.Report.Arithmetic,
    });

    private IEnumerable<Entry> Known => _nodes.Values.Where(n => !n.IsLost || time.GetElapsedTime(n.Heard) < Remembered);

    private sealed record Entry(NodeReport.Enlist Report, IActorRef Link, long Heard, bool IsLost);
}
