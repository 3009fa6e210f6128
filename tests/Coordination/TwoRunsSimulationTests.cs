using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Simulation;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Coordination.Tests;

/// <summary>
/// Two runs on the same nodes, by the shipped coordinators on a virtual clock: priorities change, nodes die and come back, supervisors are
/// replaced, messages get lost and overtake each other. Each run must end with the version and the hash chain that it has alone.
/// </summary>
public sealed class TwoRunsSimulationTests
{
    private const int Seeds = 30;

    private static readonly RunPlan[] Plans = [PlanOf(replicas: 2, rounds: 3, chunks: 2), PlanOf(replicas: 3, rounds: 3, chunks: 1)];

    [Fact]
    public void Both_runs_end_with_the_answer_that_each_has_alone_whatever_their_priorities()
    {
        var reached = new HashSet<string>();
        for (var seed = 0; seed < Seeds; seed++)
        {
            var world = new World(seed, reached);
            world.Run();
            foreach (var (run, plan) in world.Runs.Zip(Plans))
            {
                Assert.True(run.State.IsFinished, $"seed {seed}: {run.Name} hangs in round {run.State.Round}: {run.WaitsFor}");
                Assert.Equal(VirtualArithmetic.Expected(plan, [], []), (run.State.ChainHead, run.State.Version!.Value));
            }
        }

        // What no seed comes to, the test says nothing about.
        Assert.Superset(
            new HashSet<string> { "a replica makes room", "work waits", "a node dies", "a supervisor is replaced", "a priority changes" },
            reached);
    }

    private sealed class World(int seed, HashSet<string> reached)
    {
        private static readonly TimeSpan End = TimeSpan.FromMinutes(20), Peace = TimeSpan.FromSeconds(15);

        private readonly PriorityQueue<Action, (TimeSpan, int)> _events = new();
        private readonly Dictionary<NodeId, Node> _nodes = [];
        private readonly Dictionary<(NodeId, JobId), HashSet<Digest>> _disks = [];
        private int _count;

        public Random Chance { get; } = new(seed);

        public TimeSpan Now { get; private set; } = TimeSpan.FromSeconds(1);

        public List<Supervised> Runs { get; } = [];

        public void Run()
        {
            for (var n = 0; n < 2; n++)
                Start(new NodeId($"node-{n}"));
            for (var r = 0; r < Plans.Length; r++)
                Runs.Add(new Supervised(new RunName($"{(char)('a' + r)}"), Plans[r], this));
            Accident();
            while (!Runs.All(r => r.State.IsFinished) && Now < End && _events.TryDequeue(out var next, out var at))
            {
                Now = at.Item1;
                next();
            }
        }

        public void After(int milliseconds, Action what) =>
            _events.Enqueue(what, (Now + TimeSpan.FromMilliseconds(milliseconds), _count++));

        public void ToNode(NodeId id, object message)
        {
            var node = _nodes.GetValueOrDefault(id);
            NodeInput input = message is WorkOrder order
                ? new NodeInput.Ordered(order) : new NodeInput.Commanded((NodeCommand)message);
            Travel(() => node?.Step(input));
        }

        public void Note(string what) => reached.Add(what);

        private void ToSupervisors(IWireMessage message)
        {
            RunId? only = message switch
            {
                WorkResult result => new RunId(result.Job.Value),
                NodeReport.StepTaken r => r.RunId,
                NodeReport.Queued r => r.RunId,
                NodeReport.Surveyed r => r.RunId,
                NodeReport.RunIdle r => r.RunId,
                NodeReport.RunUnopened r => r.RunId,
                _ => null,
            };
            foreach (var run in Runs.Where(r => only is null || r.Id == only))
                Travel(() => run.Step(message is WorkResult result
                    ? new RunInput.Answered(result) : new RunInput.Reported((NodeReport)message)));
        }

        // Two of a hundred get lost, and they overtake each other.
        private void Travel(Action arrive)
        {
            if (Now > Peace || Chance.Next(50) > 0)
                After(Chance.Next(1, 40), arrive);
        }

        private void Start(NodeId id)
        {
            var node = _nodes[id] = new Node(id, $"{_count}", this);
            Beat(node);
        }

        private void Beat(Node node)
        {
            if (_nodes.GetValueOrDefault(node.Id) != node)
                return;
            node.Step(new NodeInput.Beat());
            After(1000, () => Beat(node));
        }

        private void Accident()
        {
            if (Now > Peace)
                return;
            After(Chance.Next(300, 4000), Accident);
            var run = Runs[Chance.Next(Runs.Count)];
            switch (Chance.Next(4))
            {
                case 0 when _nodes.Count > 1:
                    Note("a node dies");
                    var dead = _nodes.Keys.Order(Comparer<NodeId>.Create((a, b) => string.CompareOrdinal(a.Value, b.Value)))
                        .ElementAt(Chance.Next(_nodes.Count));
                    _nodes.Remove(dead);
                    After(50, () => Runs.ForEach(r => r.Step(new RunInput.Lost(dead))));
                    After(Chance.Next(100, 3000), () => Start(dead));
                    break;
                case 1:
                    Note("a supervisor is replaced");
                    run.Restart();
                    break;
                case 2 or 3:
                    Note("a priority changes");
                    run.Ask(Chance.Next(-1, 2));
                    break;
            }
        }

        private sealed class Node
        {
            private readonly NodeCoordinator _coordinator;
            private readonly World _world;
            private readonly Dictionary<int, WorkOrder> _running = [];

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
                    Arithmetic = Arithmetic,
                });
                Step(new NodeInput.HasDevices([new DeviceId("cpu:0")]));
            }

            public NodeId Id { get; }

            public void Step(NodeInput input)
            {
                foreach (var output in _coordinator.Step(input))
                    Carry(output);
            }

            private void Later(int milliseconds, Func<NodeInput?> input) => _world.After(milliseconds, () =>
            {
                if (_world._nodes.GetValueOrDefault(Id) == this && input() is { } what)
                    Step(what);
            });

            private HashSet<Digest> Disk(JobId job) =>
                _world._disks.TryGetValue((Id, job), out var disk) ? disk : _world._disks[(Id, job)] = [];

            private void Carry(NodeOutput output)
            {
                switch (output)
                {
                    case NodeOutput.Send send:
                        if (send.Message is NodeReport.Queued)
                            _world.Note("work waits");
                        _world.ToSupervisors(send.Message);
                        break;
                    case NodeOutput.Open { Command: var open }:
                        var priority = SettingsText.Read(open.Settings).Run.Priority;
                        Later(5, () => new NodeInput.Opened(open.RunId, 4, null, Priority: priority));
                        break;
                    case NodeOutput.Start start:
                        _running[start.Work] = start.Order;
                        Later(start.Devices.Count > 0 ? _world.Chance.Next(200, 900) : 20, () => End(start.Work, Do(start.Order)));
                        break;
                    case NodeOutput.Stop { Work: var stopped }:
                        if (_running.TryGetValue(stopped, out var order) && order.Content is Compute c)
                        {
                            _world.Note("a replica makes room");
                            Later(_world.Chance.Next(1, 60), () => End(stopped, HandOver(order.Job, c)));
                        }
                        break;
                    case NodeOutput.Abandon { Work: var abandoned }:
                        Later(10, () => End(abandoned, null));
                        break;
                    case NodeOutput.Survey { Command: var survey }:
                        var whole = survey.Sets.Where(Disk(survey.RunId.Job).Contains).ToArray();
                        _world.ToSupervisors(new NodeReport.Surveyed(Id, survey.RunId, survey.Number, survey.Sets, whole, survey.Part));
                        break;
                    case NodeOutput.Reschedule:
                        Later(0, () => new NodeInput.Schedule());
                        break;
                }
            }

            private NodeInput.Ended? End(int work, WorkOutcome? outcome) =>
                _running.Remove(work) ? new NodeInput.Ended(work, outcome) : null;

            private HandedOver? HandOver(JobId job, Compute c)
            {
                var step = _world.Chance.Next(c.HandOver?.Step ?? 0, c.Segment.StepsOf(c.Replica));
                if (step == 0)
                    return null;                                       // stopped before the first step
                var state = VirtualArithmetic.StateAfter(c, step);
                Disk(job).Add(state);
                return new HandedOver(
                    new ReplicaHandOver(c.Round, c.Replica, step, state, 3.0 * step, D($"samples {c.Round} {c.Replica} {step}")),
                    c.HandOver?.State);
            }

            // Every node reaches every other one.
            private bool Fetch(JobId job, Digest set)
            {
                if (Disk(job).Contains(set))
                    return true;
                if (!_world._nodes.Keys.Any(n => _world._disks.GetValueOrDefault((n, job))?.Contains(set) ?? false))
                    return false;
                return Disk(job).Add(set);
            }

            private WorkOutcome Do(WorkOrder order)
            {
                var (job, plan) = (order.Job, _world.Runs.Single(r => r.Id.Job == order.Job).Plan);
                if (!WorkKinds.Of(order.Key).Needs(order.Content).All(set => Fetch(job, set)))
                    return new WorkFailed("a blob is missing", WorkFailure.Lost);
                switch (order.Content)
                {
                    case Initialize:
                        Disk(job).Add(VirtualArithmetic.First);
                        return new Initialized(VirtualArithmetic.First, D("fingerprint"));
                    case Evaluate c:
                        return new Evaluated(VirtualArithmetic.Score(c.Version));
                    case Compute c:
                        var result = c.HandOver is { } from
                            ? VirtualArithmetic.Resume(c, from)
                            : VirtualArithmetic.Compute(c.Segment, c.Round, c.Replica, c.Version, c.InnerState);
                        Disk(job).UnionWith([result.Contribution, result.InnerState]);
                        return new Computed(result, c.HandOver?.State);
                    case Average c:
                        var chunks = c.Chunks.Select(
                            chunk => VirtualArithmetic.Average(c.Round, chunk, c.Version, c.Contributions, c.Changes)).ToArray();
                        Disk(job).UnionWith(chunks.Select(chunk => chunk.Parameters));
                        return new Averaged(c.Round, AveragedChunk.Inputs(c.Version, c.Contributions), chunks);
                    case Assemble c:
                        var version = VirtualArithmetic.Version(plan, c.Chunks);
                        Disk(job).Add(version);
                        return new Assembled(c.Round, version);
                    case Copy c:
                        return new Copied(c.Set);
                    case TakeCheckpoint c:
                        return new CheckpointWritten(new Checkpoint(
                            c.Version, c.Parameters, c.Fingerprint, c.InnerStates, c.TokensSeen, c.ChainHead, $"{c.Version}"));
                    default:
                        throw new InvalidOperationException($"not a piece of work: {order.Content}");
                }
            }
        }
    }

    // A run with its journal and the supervisor of the moment.
    private sealed class Supervised
    {
        private readonly World _world;
        private readonly List<RunEvent> _journal = [];
        private RunCoordinator _coordinator;
        private TimeSpan _began;
        private long _term;
        private int _requests;

        public Supervised(RunName name, RunPlan plan, World world)
        {
            (Name, Plan, _world) = (name, plan, world);
            Id = new RunId($"{name}-00000000");
            _coordinator = Begin();
            Ask(0);
            Tick();
        }

        public RunName Name { get; }

        public RunId Id { get; }

        public RunPlan Plan { get; }

        public RunState State => _coordinator.Run;

        public string? WaitsFor => _coordinator.Failure ?? _coordinator.WaitsFor;

        public void Restart()
        {
            _coordinator = Begin();
            _journal.ForEach(_coordinator.Replay);
            Step(new RunInput.Recovered());
        }

        // A person starts the run, or gives it another priority.
        public void Ask(int priority)
        {
            if (_journal.Count == 0)
                Step(new RunInput.Recovered());
            var settings = VirtualRun.Settings with { Run = VirtualRun.Settings.Run with { Name = Name.Value, Priority = priority } };
            var start = new RunRequest.Start(Name, By(++_requests))
            {
                Settings = SettingsText.Write(settings),
                Elements = 131_072,
                Corpus = D("corpus"),
                Manifest = D("manifest"),
                Blocks = 1000,
                HeldOutBlocks = 100,
                Arithmetic = VirtualRun.Arithmetic,
            };
            Step(new RunInput.Asked(start, null));
        }

        public void Step(RunInput input)
        {
            var (coordinator, outputs) = (_coordinator, _coordinator.Step(input, _world.Now - _began, _world.Chance));
            foreach (var output in outputs)
            {
                switch (output)
                {
                    case RunOutput.Store store:
                        _journal.AddRange(store.Events);
                        break;
                    case RunOutput.Send send:
                        _world.ToNode(send.Node, send.Message);
                        break;
                    case RunOutput.BeginTerm begin:
                        var term = ++_term;
                        Later(coordinator, () => new RunInput.TermBegun(begin.Asking, term));
                        break;
                    case RunOutput.AskFence ask:
                        Later(coordinator, () => new RunInput.Fenced(ask.Commit, ask.Term == _term));
                        break;
                    case RunOutput.Reply { Answer: RunReply.Refused refused }:
                        throw new InvalidOperationException(refused.Why);
                }
            }
        }

        private RunCoordinator Begin()
        {
            _began = _world.Now;
            return new RunCoordinator(
                Id, run => Plan with { EndsAt = run.EndsAt, Priority = SettingsText.Read(run.Settings!).Run.Priority },
                new CoordinatorSettings(GoesOn: true, TimeSpan.FromSeconds(8)));
        }

        private void Later(RunCoordinator coordinator, Func<RunInput> input) => _world.After(10, () =>
        {
            if (_coordinator == coordinator)
                Step(input());
        });

        private void Tick()
        {
            _world.After(500, Tick);
            Step(new RunInput.Tick());
        }
    }
}
