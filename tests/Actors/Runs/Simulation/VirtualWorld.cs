using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Actors.Tests.Runs.RunSamples;

namespace Elastic.Actors.Tests.Runs.Simulation;

/// <summary>Nodes, messages on their way, and accidents. One seed decides everything that happens.</summary>
internal sealed class VirtualWorld
{
    private readonly Random _chance;
    private readonly RunPlan _plan;
    private readonly VirtualBlobs _blobs;
    private readonly Dictionary<NodeId, List<NodeCommand>> _nodes = [];  // live ones, and what they have to do
    private readonly List<(NodeId Node, object Message)> _toNodes = [];
    private readonly List<object> _toSupervisor = [];
    private readonly HashSet<NodeId> _missed = [];                       // gone or unreachable, which the supervisor will notice some time
    private int _joined;

    public VirtualWorld(int seed, RunPlan plan)
    {
        (_chance, _plan, _blobs) = (new Random(seed), plan, new VirtualBlobs(plan));
        Supervisor = new VirtualSupervisor(plan, (node, command) => _toNodes.Add((node, command)), _blobs.Retain);
    }

    public VirtualSupervisor Supervisor { get; }

    /// <summary>Blobs lost by accident so far. While it is 0 everything that the journal needs must be there.</summary>
    public int Losses { get; private set; }

    /// <summary>Runs to the end: first a time of accidents, then peace with two nodes.</summary>
    /// <param name="accidents">Steps in which nodes, messages, blobs and the supervisor may be lost.</param>
    /// <param name="losses">Share of blob losses among the accidents, in percent.</param>
    public void Run(int accidents, int losses)
    {
        Supervisor.Handle(Begin);
        for (var i = 0; i < accidents; i++)
        {
            if (_chance.Next(4) == 0)
                Accident(losses);
            else
                Step();
            CheckBlobs();
        }

        while (_nodes.Count < 2)
            Join();
        _toSupervisor.Add(Begin);                                        // a person says "go on", whatever was said before
        var left = 20_000;
        for (; left > 0 && !Supervisor.Run.IsFinished; left--)
        {
            if (Supervisor.HasFailed)
                Restart();
            if (_missed.Count > 0)
                Notice(_missed.First());
            Step();
            CheckBlobs();
        }

        Assert.True(left > 0, $"the run hangs in round {Supervisor.Run.Round}, {Supervisor.Run.Phase(_plan)}, in hand: {string.Join(", ", Supervisor.Fleet.InHand)}");
    }

    private void Step()
    {
        switch (_chance.Next(4))
        {
            case 0 when _toNodes.Count > 0:
                var (node, message) = Any(_toNodes);
                if (_nodes.TryGetValue(node, out var work))
                    Receive(node, work, (NodeCommand)message);
                break;
            case 1 when _toSupervisor.Count > 0:
                Deliver(Any(_toSupervisor));
                break;
            case 2 when _nodes.Where(n => n.Value.Count > 0).ToList() is { Count: > 0 } busy:
                var (worker, todo) = busy[_chance.Next(busy.Count)];
                _toSupervisor.Add(_blobs.Do(worker, Any(todo)));
                break;
            case 3:
                Supervisor.HandleOwn();
                break;
        }
    }

    private void Accident(int losses)
    {
        if (_chance.Next(100) < losses)
        {
            _blobs.Lose(_chance);
            Losses++;
            return;
        }

        switch (_chance.Next(11))
        {
            case 0 or 1 when _nodes.Count < 5:
                Join();
                break;
            case 2 when _nodes.Count > 0:                                 // dies; its last messages may still be on their way
                var dead = AnyNode();
                _nodes.Remove(dead);
                _missed.Add(dead);
                break;
            case 3 when _toNodes.Count > 0:                               // lost on the way there
                _missed.Add(Any(_toNodes).Node);
                break;
            case 4 when _nodes.Count > 0 && _toSupervisor.Count > 0:      // lost on the way back: some connection broke, perhaps all
                Any(_toSupervisor);
                _missed.UnionWith(_nodes.Keys);
                break;
            case 5 when _toSupervisor.Count > 0:                          // twice
                _toSupervisor.Add(_toSupervisor[_chance.Next(_toSupervisor.Count)]);
                break;
            case 6 when _toNodes.Count > 0:
                _toNodes.Add(_toNodes[_chance.Next(_toNodes.Count)]);
                break;
            case 7 when _missed.Count > 0:
                Notice(_missed.OrderBy(n => n.Value, StringComparer.Ordinal).ElementAt(_chance.Next(_missed.Count)));
                break;
            case 8 when _chance.Next(4) == 0 || Supervisor.HasFailed:
                Restart();
                break;
            case 10 when _nodes.Count > 0:                                // its process starts anew at the same address
                var again = AnyNode();
                _nodes[again].Clear();
                Enlist(again);
                break;
            case 9 when _chance.Next(2) == 0:
                Supervisor.Stop();
                _toSupervisor.Add(Begin);
                break;
        }
    }

    // The supervisor starts elsewhere; the nodes enlist with it again.
    private void Restart()
    {
        Supervisor.Crash();
        foreach (var node in _nodes.Keys)
            Enlist(node);
        Supervisor.Handle(Begin);
    }

    private void Join()
    {
        var node = new NodeId($"node-{_joined++}");
        _nodes.Add(node, []);
        Enlist(node);
    }

    private void Enlist(NodeId node) =>
        _toSupervisor.Add(new NodeReport.Enlist(node, [.. Enumerable.Range(0, 1 + node.Value[^1] % 3).Select(i => new DeviceId($"cpu:{i}"))], $"{_joined++}"));

    private void Notice(NodeId node)
    {
        _missed.Remove(node);
        Supervisor.Forget(node);
        if (_nodes.ContainsKey(node))
            Enlist(node);                                                // it was alive after all
    }

    private void Receive(NodeId node, List<NodeCommand> work, NodeCommand command)
    {
        if (command is not NodeCommand.StopRun)
        {
            work.Add(command);
            return;
        }

        // Replicas that run are handed over at a step boundary, those that wait are forgotten; the rest goes on.
        foreach (var replica in work.OfType<NodeCommand.RunReplica>().ToList())
        {
            work.Remove(replica);
            var first = replica.HandOver?.Step ?? 0;
            if (_chance.Next(2) == 0 && _blobs.Stop(replica, _chance.Next(first, _plan.InnerSteps)) is { } handOver)
                _toSupervisor.Add(handOver);
        }

        _toSupervisor.Add(new NodeReport.RunIdle(node, Id));
    }

    private void Deliver(object message)
    {
        if (message is NodeReport.Enlist { Node: var node } && !_nodes.ContainsKey(node))
            _missed.Add(node);                                           // dead before it was heard of
        if (message is RunCommand command)
            Supervisor.Handle(command);
        else
            Supervisor.Handle((NodeReport)message);
    }

    private void CheckBlobs()
    {
        if (Losses == 0)
            Assert.All(Supervisor.Run.References(), set => Assert.True(_blobs.IsWhole(set), $"{set.Short} was collected though the run needs it"));
    }

    private NodeId AnyNode() => _nodes.Keys.OrderBy(n => n.Value, StringComparer.Ordinal).ElementAt(_chance.Next(_nodes.Count));

    private T Any<T>(List<T> list)
    {
        var index = _chance.Next(list.Count);
        var item = list[index];
        list.RemoveAt(index);
        return item;
    }
}
