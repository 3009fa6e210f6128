using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Wire;
using Elastic.Messages.Work;

namespace Elastic.Simulation;

/// <summary>Nodes, messages in transit, a clock, and accidents. One seed decides everything that happens.</summary>
public sealed partial class VirtualWorld
{
    // Undisturbed a run of five rounds takes some ten seconds. A node that failed rests for 30, an unanswered survey is repeated after 60.
    private static readonly TimeSpan Enough = TimeSpan.FromMinutes(10);
    private const int MostEvents = 200_000;

    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _agenda = new();
    private readonly List<VirtualNode> _nodes = [];
    private readonly Accidents _accidents;
    private readonly string _arithmetic;
    // One for all worlds: making one compiles a serializer for each type.
    private static readonly WireCodec Codec = new(typeof(WorkKind).Assembly);
    private long _order;
    private bool _isPeace;
    private CoordinatorCommand.CommitRound? _asked;
    private int _goings;
    private TimeSpan _peace;

    public VirtualWorld(int seed, RunPlan plan, Accidents accidents)
    {
        (Chance, Plan, _accidents) = (new Random(seed), plan, accidents);
        _arithmetic = Chance.Next(2) == 0 ? "" : VirtualRun.Arithmetic;
        MostDigests = Chance.Next(2) == 0 ? Chance.Next(2, 12) : Part.MostDigests;
        (Supervisor, Build) = (new VirtualSupervisor(this), new VirtualBuild(this, seed));
    }

    public Random Chance { get; }

    public RunPlan Plan { get; }

    /// <summary>Digests in a message. Where they are few, even small runs need several messages.</summary>
    public int MostDigests { get; }

    public TimeSpan Now { get; private set; }

    /// <summary>True where workers reach seeds only.</summary>
    public bool IsWalled => _accidents.Walled;

    /// <summary>How long the run took after the last accident.</summary>
    public TimeSpan AfterAccidents => Now - _peace;

    public VirtualSupervisor Supervisor { get; }

    public VirtualBuild Build { get; }

    public IReadOnlyList<VirtualNode> Nodes => _nodes;

    /// <summary>The chunks of the vector sets that have some.</summary>
    public Dictionary<Digest, Digest[]> Contents { get; } = [];

    /// <summary>Sees every message that is sent, and how many bytes it has.</summary>
    public Action<object, int>? Inspect { get; init; }

    // A few nodes have other arithmetic than the run: they only store.
    private bool IsFit(VirtualNode node) =>
        node is { Lies: false, IsLeaving: false, IsDraining: false, Hangs: false, HasDevices: true }
        && (_accidents.Walled || !node.IsWalled) && node.Arithmetic == VirtualRun.Arithmetic;

    private IEnumerable<VirtualNode> Live => _nodes.Where(n => n.IsReachable);

    /// <summary>Runs to the end of the run: first with accidents, then without.</summary>
    public void Run()
    {
        if (_accidents.Walled)
            Join(isOdd: false, isSeed: true);
        // Of nodes for all stages, one may go.
        for (var i = 0; i < (_accidents.Liar ? 3 : 1 + Chance.Next(3)) + (Plan.Stages > 1 ? Plan.Stages : 0); i++)
            Join(isOdd: false);
        if (_accidents.Liar)
            Join(lies: true);
        Supervisor.Begin();
        GoOn();
        Build.Begin();
        Every(0.5, () => Inside(0, Supervisor.Tick));
        Every(1, () => Live.ToList().ForEach(n => n.Beat()));
        Schedule(Milliseconds(50, 500), Accident);

        var events = 0;
        var end = TimeSpan.FromSeconds(_accidents.Seconds) + Enough;
        while (!Supervisor.Run.IsFinished || !Supervisor.IsThere)
        {
            Invariant.Holds(_agenda.TryDequeue(out var happens, out var when), "nothing is going to happen any more");
            Now = when.At;
            if (!_isPeace && Now.TotalSeconds >= _accidents.Seconds)
                MakePeace();
            happens();
            Invariant.Holds(Supervisor.Failure is null || Supervisor.Run.IsPaused, $"the run waits for a person: {Supervisor.Failure}");
            Invariant.Holds(++events < MostEvents && Now < end, $"the run hangs after {events} events, {Now}: {this}");
        }
    }

    public override string ToString() =>
        $"round {Supervisor.Run.Round}, {Supervisor.Phase}, failure: {Supervisor.Failure}, surveyed: {Supervisor.View.Surveyed}, " +
        $"nodes: {string.Join(", ", Supervisor.View.Nodes.Select(
            n => $"{n.Key} {n.Value.Devices.Length} {(n.Value.Leaving ? "leaving" : "")}"))}, " +
        $"waits for: {Supervisor.WaitsFor}, in flight: {string.Join(", ", Supervisor.View.InFlight.Keys)}, " +
        $"disputed: {string.Join(", ", Supervisor.Run.Quorums.Where(b => b.Value.IsDisputed).Select(b => b.Key))}";

    public double Milliseconds(int from, int to) => Chance.Next(from, to + 1);

    /// <summary>True when a piece of work is to fail by accident.</summary>
    public bool IsMishap() => !_isPeace && Chance.Next(100) == 0;

    /// <summary>True when a node that <paramref name="reader"/> can reach at one of these endpoints has the blob.</summary>
    public bool HasBlob(Digest blob, VirtualNode reader, IReadOnlySet<string> endpoints) =>
        Live.Any(n => endpoints.Contains(n.Endpoint) && n.Blobs.Has(blob)
            && (n.IsSeed || reader.IsSeed || !(n.IsWalled || reader.IsWalled)));

    public void ToSupervisor(VirtualNode from, IWireMessage told)
    {
        var message = AsReceived(told);
        if (!from.IsReachable)
            return;
        Send(() =>
        {
            if (Supervisor.IsThere && !from.IsCutOff)
                Supervisor.Handle(message);
        });
    }

    public void ToNode(NodeId to, IWireMessage told)
    {
        var command = AsReceived(told);
        if (_nodes.Find(n => n.Id == to) is not { } node)
            throw new InvalidOperationException($"{command} is for {to}, which never was");
        if (command is NodeCommand.Release)
            CheckRelease(node);
        var incarnation = node.Incarnation;
        Send(() =>
        {
            if (node.IsReachable && node.Incarnation == incarnation)
                node.Receive(command);
        });
    }

    /// <summary>Schedules an action inside a node; dropped if the node's process ends before.</summary>
    public void After(VirtualNode node, double milliseconds, Action happens)
    {
        var incarnation = node.Incarnation;
        Schedule(milliseconds, () =>
        {
            if (node.IsAlive && node.Incarnation == incarnation)
                happens();
        });
    }

    /// <summary>Schedules an action inside the supervisor; dropped if the supervisor ends before.</summary>
    public void Inside(double milliseconds, Action happens)
    {
        var incarnation = Supervisor.Incarnation;
        Schedule(milliseconds, () =>
        {
            if (Supervisor.IsThere && Supervisor.Incarnation == incarnation)
                happens();
        });
    }

    /// <summary>The supervisor's process dies; another one takes over, after a while.</summary>
    public void CrashSupervisor()
    {
        Supervisor.Crash();
        Schedule(Milliseconds(100, 4000), Restart);
    }

    /// <summary>Called after each Store: now and then the supervisor crashes there.</summary>
    public void AfterStore()
    {
        if (!_isPeace && Chance.Next(60) == 0)
            CrashSupervisor();
    }

    // Every message goes through the serializer that is shipped.
    private object AsReceived(IWireMessage message)
    {
        var bytes = Codec.Write(message);
        Inspect?.Invoke(message, bytes.Length);
        return Codec.Read(bytes);
    }

    // Messages overtake each other, get lost and come twice.
    private void Send(Action arrives)
    {
        if (!_isPeace && Chance.Next(100) == 0)
            return;
        Schedule(Milliseconds(1, 20), arrives);
        if (!_isPeace && Chance.Next(50) == 0)
            Schedule(Milliseconds(1, 2000), arrives);
    }

    private void Restart()
    {
        if (!Supervisor.IsThere)
            Supervisor.Restart();
    }

    private void Join(bool lies = false, bool? isOdd = null, bool isSeed = false)
    {
        var arithmetic = isOdd ?? (!lies && Supervisor.Run.Arithmetic.Length > 0 && Chance.Next(6) == 0)
            ? "another"
            : VirtualRun.Arithmetic;
        isSeed |= Chance.Next(3) == 0;
        var node = new VirtualNode(
            new NodeId($"node-{_nodes.Count:D2}"), _accidents.Walled && isSeed ? 0 : 1 + Chance.Next(3), isSeed, arithmetic, this)
        {
            Split = AnySplit(),
            Lies = lies,
            LiesInHandOvers = lies && _accidents.HandsOver,
            IsWalled = _accidents.Walled && !isSeed,
        };
        _nodes.Add(node);
        node.Beat();
    }

    private void MakePeace()
    {
        (_isPeace, _peace) = (true, Now);
        foreach (var node in _nodes)
            node.Mend();
        while (Live.Count(IsFit) < Math.Max(_accidents.Liar ? 3 : 2, Plan.Stages))
            Join(isOdd: false);
        if (!Live.Any(n => n.IsSeed && !n.IsLeaving && (IsFit(n) || !n.HasDevices)))
            Join(isOdd: false, isSeed: true);                              // a supervisor lives on one
        Restart();
        GoOn();
    }

    private VirtualNode? Any(Func<VirtualNode, bool> which)
    {
        var candidates = Live.Where(n => !n.IsLeaving).Where(which).ToList();
        return candidates.Count == 0 ? null : candidates[Chance.Next(candidates.Count)];
    }

    private void Every(double seconds, Action happens) => Schedule(1000 * seconds, () =>
    {
        happens();
        Every(seconds, happens);
    });

    internal void Schedule(double milliseconds, Action happens) =>
        _agenda.Enqueue(happens, (Now + TimeSpan.FromMilliseconds(milliseconds), _order++));
}
