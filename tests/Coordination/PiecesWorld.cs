using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

/// <summary>
/// The shipped coordinators of a job in pieces and of its nodes on a virtual clock: messages get lost and overtake each other, nodes die
/// and come back, work fails, supervisors are replaced.
/// </summary>
/// <param name="reached">Gets what has happened.</param>
internal abstract class PiecesWorld(int seed, HashSet<string> reached)
{
    /// <summary>What no seed comes to, a test says nothing about.</summary>
    public static readonly HashSet<string> All =
        ["a message is lost", "a node dies", "a supervisor is replaced", "work fails", "the job ends while a node opens it"];

    private static readonly TimeSpan End = TimeSpan.FromMinutes(10);

    private readonly PriorityQueue<Action, (TimeSpan, int)> _events = new();
    private readonly Dictionary<NodeId, Node> _nodes = [];
    private long _term = 1;
    private int _count;
    private bool _isEnded;

    protected Random Chance { get; } = new(seed);

    protected HashSet<string> Reached => reached;

    protected TimeSpan Now { get; private set; } = TimeSpan.FromSeconds(1);

    protected PiecesCoordinator Supervisor { get; private set; } = null!;

    /// <summary>The asker has all.</summary>
    protected abstract bool IsOver { get; }

    public void Run()
    {
        Supervisor = Supervise(_term);
        for (var n = 0; n < 3; n++)
            Start(new NodeId($"node-{n}"));
        AskAgain();
        Tick();
        Accident();
        Go(() => !IsOver && Now < End);
        EndJob();
    }

    protected abstract PiecesCoordinator Supervise(long term);

    /// <summary>The asker asks, and takes what is there.</summary>
    protected abstract void Ask();

    /// <summary>A node does a piece.</summary>
    protected abstract WorkOutcome Do(WorkOrder order, NodeId node);

    /// <summary>A node dies, with all that it has.</summary>
    protected virtual void Died(NodeId node)
    {
    }

    protected void Carry(IReadOnlyList<RunOutput> outputs)
    {
        foreach (var send in outputs.OfType<RunOutput.Send>())
        {
            var (node, input) = (_nodes.GetValueOrDefault(send.Node), send.Message switch
            {
                WorkOrder order => new NodeInput.Ordered(order),
                NodeCommand command => (NodeInput)new NodeInput.Commanded(command),
                var other => throw new InvalidOperationException($"{other}"),
            });
            Travel(() => node?.Step(input));
        }
    }

    private void Go(Func<bool> goesOn)
    {
        while (goesOn() && _events.TryDequeue(out var next, out var at))
        {
            Now = at.Item1;
            next();
        }
    }

    // A node joins late and is told of the job, which ends then. Afterwards no node has anything to do for it, and all may be switched off.
    private void EndJob()
    {
        Start(new NodeId("late"));
        var end = Now + TimeSpan.FromMilliseconds(Chance.Next(50, 400));
        Go(() => Now < end);
        _isEnded = true;
        var told = Supervisor.End().OfType<RunOutput.Send>()
            .Where(s => _nodes.ContainsKey(s.Node)).ToDictionary(s => _nodes[s.Node], s => (NodeCommand)s.Message);
        foreach (var (node, delete) in told)
            After(Chance.Next(60, 120), () =>                          // behind what is on its way
            {
                if (node.Opens > 0)
                    reached.Add("the job ends while a node opens it");
                node.Step(new NodeInput.Commanded(delete));
                node.Step(new NodeInput.Told(new NodeNews.Drain("1", Undo: false)));
            });
        end = Now + TimeSpan.FromSeconds(5);
        Go(() => Now < end);
        Assert.True(told.Keys.All(n => n.IsDrained), $"seed {seed}: {told.Keys.FirstOrDefault(n => !n.IsDrained)?.Id} does not drain");
    }

    private void After(int milliseconds, Action what) =>
        _events.Enqueue(what, (Now + TimeSpan.FromMilliseconds(milliseconds), _count++));

    private void Start(NodeId id)
    {
        var node = _nodes[id] = new Node(id, $"{id} {_count}", this);
        Beat(node);
    }

    private void Beat(Node node)
    {
        if (_nodes.GetValueOrDefault(node.Id) != node)
            return;
        node.Step(new NodeInput.Beat());
        After(1000, () => Beat(node));
    }

    // Two of a hundred get lost, and they overtake each other.
    private void Travel(Action arrive)
    {
        if (Chance.Next(50) == 0)
            reached.Add("a message is lost");
        else
            After(Chance.Next(1, 60), arrive);
    }

    private void AskAgain()
    {
        if (IsOver)
            return;
        Ask();
        After(200, AskAgain);
    }

    private void Tick()
    {
        if (_isEnded)
            return;
        Carry(Supervisor.Step(new RunInput.Tick(), Now, Chance));
        After(250, Tick);
    }

    private void Accident()
    {
        if (_isEnded)
            return;
        switch (Chance.Next(3))
        {
            case 0:
                reached.Add("a supervisor is replaced");
                Supervisor = Supervise(++_term);
                break;
            case 1 when _nodes.Count > 0:
                reached.Add("a node dies");
                var dead = _nodes.Keys.ElementAt(Chance.Next(_nodes.Count));
                _nodes.Remove(dead);
                Died(dead);
                After(50, () => Carry(Supervisor.Step(new RunInput.Lost(dead), Now, Chance)));
                After(Chance.Next(100, 5000), () => Start(dead));
                break;
        }
        After(Chance.Next(1000, 8000), Accident);
    }

    private WorkOutcome Try(WorkOrder order, NodeId node)
    {
        if (Chance.Next(20) > 0)
            return Do(order, node);
        reached.Add("work fails");
        return new WorkFailed("something went wrong", WorkFailure.Transient);
    }

    private sealed class Node
    {
        private readonly NodeCoordinator _coordinator;
        private readonly PiecesWorld _world;

        public Node(NodeId id, string incarnation, PiecesWorld world)
        {
            (Id, _world) = (id, world);
            _coordinator = new NodeCoordinator(new NodeFacts
            {
                Id = id,
                Incarnation = incarnation,
                Address = $"{id}:4053",
                Endpoint = $"{id}:80",
                Seed = false,
                Version = "1",
                Arithmetic = "cpu 2",
                Cores = 2,
            });
            Step(new NodeInput.HasDevices([new DeviceId("cpu:0")]));
        }

        public NodeId Id { get; }

        /// <summary>Openings of the job that have not ended.</summary>
        public int Opens { get; private set; }

        /// <summary>As it has said last.</summary>
        public bool IsDrained { get; private set; }

        public void Step(NodeInput input)
        {
            foreach (var output in _coordinator.Step(input))
                Carry(output);
        }

        private void Later(int milliseconds, NodeInput input) => _world.After(milliseconds, () =>
        {
            Opens -= input is NodeInput.Opened ? 1 : 0;
            if (_world._nodes.GetValueOrDefault(Id) == this)
                Step(input);
        });

        private void Carry(NodeOutput output)
        {
            switch (output)
            {
                case NodeOutput.Send { Message: NodeReport report }:
                    IsDrained = report is NodeReport.Enlist enlist ? enlist.Drained : IsDrained;
                    _world.Travel(() => Say(new RunInput.Reported(report)));
                    break;
                case NodeOutput.Send { Message: WorkResult result }:
                    _world.Travel(() => Say(new RunInput.Answered(result)));
                    break;
                case NodeOutput.Open open:
                    Opens++;
                    Later(_world.Chance.Next(10, 300), new NodeInput.Opened(open.Command.RunId, 1, null));
                    break;
                case NodeOutput.Reschedule:
                    Later(0, new NodeInput.Schedule());
                    break;
                case NodeOutput.Start start:
                    Later(_world.Chance.Next(50, 400), new NodeInput.Ended(start.Work, _world.Try(start.Order, Id)));
                    break;
            }
        }

        private void Say(RunInput input)
        {
            if (_world._nodes.GetValueOrDefault(Id) == this && !_world._isEnded)
                _world.Carry(_world.Supervisor.Step(input, _world.Now, _world.Chance));
        }
    }
}
