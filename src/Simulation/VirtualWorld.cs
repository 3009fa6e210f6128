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
        for (var i = 0; i < (_accidents.Liar ? 3 : 1 + Chance.Next(3)); i++)
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

    /// <summary>
    /// Checks that the sets of a commit are on as many nodes as the supervisor counts; a node that has just died is excused.
    /// </summary>
    public void CheckCommit(CoordinatorCommand.CommitRound commit)
    {
        _asked = commit;
        if (_accidents.LosesBlobs)
            return;
        var staying = _nodes.Where(n => Supervisor.View.Staying.Contains(n.Id)).ToList();
        Invariant.Holds(staying.Count == commit.Nodes, $"the commit counts {commit.Nodes} nodes where {staying.Count} stay");
        foreach (var set in Supervisor.Run.Finished.Values.Select(r => r.InnerState).Append(commit.Version))
            Invariant.Holds(
                staying.Count(n => !n.IsAlive || n.Blobs.IsWhole(set)) >= Math.Min(2, staying.Count),
                $"version {commit.Round + 1} is to be committed while too few of {staying.Count} nodes hold {set.Short}");
    }

    // A node may go when others have what the run needs: those that stay, or one that still waits for Release.
    private void CheckRelease(VirtualNode leaving)
    {
        var others = _nodes.Where(n => n != leaving && Supervisor.View.Nodes.ContainsKey(n.Id) && !Supervisor.Run.IsQuarantined(n.Id))
            .ToList();
        if (_accidents.LosesBlobs || (!leaving.IsDraining && others.All(n => n.IsLeaving)))
            return;
        // A result of the open round that the node has never reported is excused: the replica is computed again.
        var run = Supervisor.Run;
        HashSet<Digest> committed = [.. run.InnerStates, .. run.Version is { } version ? [version] : Array.Empty<Digest>()];
        bool IsAwaited(Digest set) =>
            leaving.Blobs.IsWhole(set) && (committed.Contains(set) || Supervisor.View.HoldersOf(set).Contains(leaving.Id));
        foreach (var set in run.Current().Where(IsAwaited))
            Invariant.Holds(others.Any(n => !n.IsAlive || n.Blobs.IsWhole(set)),
                $"{leaving.Id} is released though only it holds {set.Short}");
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

    private void Accident()
    {
        if (_isPeace)
            return;
        var often = _accidents.HandsOver ? 9 : _accidents.Devices ? 17 : -1;
        Schedule(Milliseconds(50, often > 0 ? 500 : 1500), Accident);
        if (ChangesSettings())
            return;
        switch (often > 0 && Chance.Next(2) == 0 ? often : Chance.Next(_accidents.LosesBlobs ? 20 : 19))
        {
            case 0 or 1 when Live.Count() < 5:
                Join();
                break;
            case 2 when Any(MayGo) is { } dead:
                Kill(dead, comesBack: false);
                break;
            case 3 when Any(MayGo) is { } dead:
                Kill(dead, comesBack: true);
                break;
            case 4 when Any(MayGo) is { } away:                            // long enough to be taken for lost, or not
                away.IsCutOff = true;
                Schedule(Milliseconds(200, 12_000), () => away.IsCutOff = false);
                break;
            case 5 or 6 when Any(n => !_accidents.Gentle || MayGo(n)) is { } suspected:
                Inside(0, () => Supervisor.Lose(suspected.Id));
                break;
            case 7 when Supervisor.IsThere:
                CrashSupervisor();
                break;
            case 8 when Any(MayGo) is { } drained && ++_goings % 2 == 0:
                drained.Drain(undo: false);
                After(drained, Milliseconds(500, 10_000), () => drained.Drain(undo: true));
                break;
            case 8 when Any(MayGo) is { } leaving:
                leaving.Leave();
                Schedule(Milliseconds(5000, 30_000), leaving.Die);          // a node does not wait for Release for ever
                break;
            case 9 when Supervisor.IsThere:
                Supervisor.Interrupt();
                Schedule(Milliseconds(10, 3000), GoOn);
                break;
            case 10 when Any(n => n.Slowness <= 1) is { } slow:
                slow.Slowness = Chance.Next(5, 50);
                Schedule(Milliseconds(1000, 20_000), () => slow.Slowness = 1);
                break;
            case 11 when !_nodes.Any(n => n.IsFull) && Any(n => !_accidents.Gentle || MayGo(n)) is { } full:
                full.IsFull = true;
                Schedule(Milliseconds(500, 10_000), () => full.IsFull = false);
                break;
            case 12 when !_nodes.Any(n => n.IsBroken) && Any(n => !_accidents.Gentle || MayGo(n)) is { } broken:
                broken.IsBroken = true;
                Schedule(Milliseconds(500, 60_000), () => broken.IsBroken = false);
                break;
            // For good, so that the others have to finish without it.
            case 13 when !_accidents.Gentle && !_nodes.Any(n => n.Hangs) && Any(n => !n.IsWalled && MayGo(n)) is { } hung:
                hung.Hangs = true;
                break;
            case 14 when !_accidents.Gentle && _nodes.Count(n => n.IsWalled) < 2
                && Any(n => !n.IsSeed && !n.Hangs && MayGo(n)) is { } walled:
                walled.IsWalled = true;
                break;
            case 15 when !_accidents.Gentle && Chance.Next(3) == 0 && Supervisor.IsThere:
                CrashSupervisor();
                Supervisor.RestoreDatabase();
                Schedule(5000, GoOn);                                      // by whoever restored it
                break;
            case 16 when Supervisor.IsThere:
                Supervisor.LoseTerm();
                break;
            case 17 or 18 when Any(n => n.HasDevices) is { } changed:
                changed.ChangeDevices(mayLoseAll: !_accidents.Gentle);
                break;
            case 19 when Any(_ => true) is { } unlucky:
                unlucky.Blobs.Lose(Chance);
                break;
        }
    }

    // With a liar, three honest nodes stay. In a gentle world a node goes only when no other is going and others hold all that is
    // committed.
    private bool MayGo(VirtualNode node) =>
        (!_accidents.Liar || (!node.Lies && Live.Count(IsFit) > 3))
        && (!_accidents.Gentle
            || (IsSettled() && Committed().All(set => Live.Any(n => n != node && !n.IsLeaving && n.Blobs.IsWhole(set)))));

    // The supervisor's view is up to date, and no node is leaving, resting, or about to rest: with two nodes, a broken one and a loss are
    // two losses.
    private bool IsSettled() => Live.Count(n => !n.IsLeaving) > 1 && !_nodes.Any(n => n.IsFull || n.IsBroken)
        && Supervisor.IsThere && Supervisor.View.Nodes.Values.All(n => !n.Leaving)
        && Live.Select(n => n.Id).ToHashSet().SetEquals(Supervisor.View.Nodes.Keys);

    // The sets that are committed, or are just being committed.
    private IEnumerable<Digest> Committed()
    {
        var run = Supervisor.Run;
        IEnumerable<Digest> version = run.Version is { } v
            ? [v]
            : _nodes.Any(n => n.Blobs.Has(VirtualArithmetic.First)) ? [VirtualArithmetic.First] : [];
        IEnumerable<Digest> next = _asked?.Round == run.Round ? [_asked.Version, .. run.Finished.Values.Select(r => r.InnerState)] : [];
        return [.. run.InnerStates, .. version, .. next];
    }

    private void Kill(VirtualNode node, bool comesBack)
    {
        node.Die();
        Schedule(Milliseconds(5, 3000), () =>
        {
            if (!node.IsAlive)
                Inside(0, () => Supervisor.Lose(node.Id));
        });
        if (comesBack)
            Schedule(Milliseconds(50, 8000), node.Restart);
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
        while (Live.Count(IsFit) < (_accidents.Liar ? 3 : 2))
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
