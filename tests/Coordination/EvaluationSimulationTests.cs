using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

/// <summary>
/// The shipped coordinators of an evaluation and of its nodes on a virtual clock: messages get lost and overtake each other, nodes die and
/// come back, work fails, supervisors are replaced. Whatever happens, the asker gets all scores, in order.
/// </summary>
public sealed class EvaluationSimulationTests
{
    private const int Pieces = 40, Seeds = 300;

    private static readonly TimeSpan End = TimeSpan.FromMinutes(10);

    [Fact]
    public void The_asker_gets_all_scores_in_order_whatever_happens()
    {
        var reached = new HashSet<string>();
        for (var seed = 0; seed < Seeds; seed++)
        {
            var world = new World(seed, reached);
            world.Run();
            Assert.True(world.Taken.Count == Pieces, $"seed {seed}: {world.Taken.Count} of {Pieces} pieces were scored: {world.Last}");
            Assert.Equal(Enumerable.Range(0, Pieces).Select(NatsOf), world.Taken);
        }
        // What no seed comes to, the test says nothing about.
        Assert.Superset(new HashSet<string> { "a message is lost", "a node dies", "a supervisor is replaced", "work fails" }, reached);
    }

    private static double NatsOf(int piece) => piece + 0.125;

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));

    private sealed class World(int seed, HashSet<string> reached)
    {
        private static readonly RunId Job = new("eval-tiny-3k9v2mq7");

        private readonly Random _chance = new(seed);
        private readonly PriorityQueue<Action, (TimeSpan, int)> _events = new();
        private readonly Dictionary<NodeId, Node> _nodes = [];
        private EvaluationCoordinator _supervisor = new(Job, 1);
        private long _term = 1;
        private int _count;
        private TimeSpan _now = TimeSpan.FromSeconds(1);

        public List<double> Taken { get; } = [];

        public EvaluationView? Last { get; private set; }

        public void Run()
        {
            for (var n = 0; n < 3; n++)
                Start(new NodeId($"node-{n}"));
            Ask();
            Tick();
            Accident();
            while (Taken.Count < Pieces && _now < End && _events.TryDequeue(out var next, out var at))
            {
                _now = at.Item1;
                next();
            }
        }

        private void After(int milliseconds, Action what) =>
            _events.Enqueue(what, (_now + TimeSpan.FromMilliseconds(milliseconds), _count++));

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
            if (_chance.Next(50) == 0)
                reached.Add("a message is lost");
            else
                After(_chance.Next(1, 60), arrive);
        }

        private void Ask()
        {
            var ahead = Math.Min(12, Pieces - Taken.Count);
            var request = new EvaluationRequest.Score(Job)
            {
                Origin = new Origin("1", "a test", default),
                Settings = "settings",
                Corpus = D("corpus"),
                Manifest = D("manifest"),
                Parameters = D("parameters"),
                Source = "10.0.0.9:80",
                Arithmetic = Last?.Arithmetic,
                First = Taken.Count,
                Pieces = [.. Enumerable.Range(Taken.Count, ahead).Select(p => D($"{p}"))],
                Rows = [.. Enumerable.Repeat(1, ahead)],
            };
            Carry(_supervisor.Ask(request, _now));
            Last = _supervisor.Show();
            Assert.Null(Last.Failure);
            Assert.Equal(Taken.Count, Last.First);
            Taken.AddRange(Last.Scores.Select(s => Assert.Single(s.Nats)));
            After(200, Ask);
        }

        private void Tick()
        {
            Carry(_supervisor.Step(new RunInput.Tick(), _now, _chance));
            After(250, Tick);
        }

        private void Accident()
        {
            switch (_chance.Next(3))
            {
                case 0:
                    reached.Add("a supervisor is replaced");
                    _supervisor = new EvaluationCoordinator(Job, ++_term);
                    break;
                case 1 when _nodes.Count > 0:
                    reached.Add("a node dies");
                    var dead = _nodes.Keys.ElementAt(_chance.Next(_nodes.Count));
                    _nodes.Remove(dead);
                    After(50, () => Carry(_supervisor.Step(new RunInput.Lost(dead), _now, _chance)));
                    After(_chance.Next(100, 5000), () => Start(dead));
                    break;
            }
            After(_chance.Next(1000, 8000), Accident);
        }

        private void Carry(IReadOnlyList<RunOutput> outputs)
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

        private sealed class Node
        {
            private readonly NodeCoordinator _coordinator;
            private readonly World _world;

            public Node(NodeId id, string incarnation, World world)
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
                });
                Step(new NodeInput.HasDevices([new DeviceId("cpu:0")]));
            }

            public NodeId Id { get; }

            public void Step(NodeInput input)
            {
                foreach (var output in _coordinator.Step(input))
                    Carry(output);
            }

            private void Later(int milliseconds, NodeInput input) => _world.After(milliseconds, () =>
            {
                if (_world._nodes.GetValueOrDefault(Id) == this)
                    Step(input);
            });

            private void Carry(NodeOutput output)
            {
                switch (output)
                {
                    case NodeOutput.Send { Message: NodeReport report }:
                        _world.Travel(() => Say(new RunInput.Reported(report)));
                        break;
                    case NodeOutput.Send { Message: WorkResult result }:
                        _world.Travel(() => Say(new RunInput.Answered(result)));
                        break;
                    case NodeOutput.Open open:
                        Later(_world._chance.Next(10, 300), new NodeInput.Opened(open.Command.RunId, 1, null));
                        break;
                    case NodeOutput.Reschedule:
                        Later(0, new NodeInput.Schedule());
                        break;
                    case NodeOutput.Start start:
                        Later(_world._chance.Next(50, 400), new NodeInput.Ended(start.Work, Do(start.Order)));
                        break;
                }
            }

            private void Say(RunInput input)
            {
                if (_world._nodes.GetValueOrDefault(Id) == this)
                    _world.Carry(_world._supervisor.Step(input, _world._now, _world._chance));
            }

            private WorkOutcome Do(WorkOrder order)
            {
                if (_world._chance.Next(20) > 0)
                    return new RowsScored([NatsOf(order.Key.Index)]);
                _world.Reached("work fails");
                return new WorkFailed("something went wrong", WorkFailure.Transient);
            }
        }

        private void Reached(string what) => reached.Add(what);
    }
}
