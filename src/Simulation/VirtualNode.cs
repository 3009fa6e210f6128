using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

/// <summary>A node on virtual devices and blobs: the shipped <see cref="NodeCoordinator"/>; only the executors are stand-ins.</summary>
public sealed class VirtualNode
{
    private readonly VirtualWorld _world;
    private readonly DeviceId[] _first;
    private readonly DeviceRules _on;
    private readonly HashSet<string> _sources = new(StringComparer.Ordinal);
    private readonly bool _isSeed;
    private NodeCoordinator _coordinator;

    public VirtualNode(NodeId id, int devices, bool seed, string arithmetic, VirtualWorld world)
    {
        (Id, _isSeed, Arithmetic, _world) = (id, seed, arithmetic, world);
        _first = Cpus(Enumerable.Range(0, devices));
        _on = new DeviceRules(id) { Devices = _first };
        Blobs = new VirtualBlobs(world.Contents);
        _coordinator = Begin();
    }

    public NodeId Id { get; }

    public string Endpoint => EndpointOf(Id.Value);

    public static string EndpointOf(string id) => $"{id}:80";

    public VirtualBlobs Blobs { get; }

    /// <summary>Counts the processes of this node; the world drops messages to an earlier one.</summary>
    public int Incarnation { get; private set; }

    public bool IsAlive { get; private set; } = true;

    /// <summary>No message from it or to it arrives, and no node can fetch from it.</summary>
    public bool IsCutOff { get; set; }

    public bool IsReachable => IsAlive && !IsCutOff;

    public bool IsLeaving { get; private set; }

    /// <summary>Somebody wants to switch it off.</summary>
    public bool IsDraining { get; private set; }

    public bool IsFull { get; set; }

    /// <summary>Its disk or a device is broken: all its work fails, without a known cause.</summary>
    public bool IsBroken { get; set; }

    /// <summary>Its devices hang: computations that are begun from now on never end, and report no more steps. It stays so.</summary>
    public bool Hangs { get; set; }

    /// <summary>Only seeds can be reached from it, and it can be reached by seeds only. It stays so.</summary>
    public bool IsWalled { get; set; }

    public bool IsSeed => _isSeed;

    /// <summary>False for a node that only stores, or has lost all that it had.</summary>
    public bool HasDevices => _on.Devices.Length > 0;

    /// <summary>Its memory flips bits: some of what it computes is wrong.</summary>
    public bool Lies { get; init; }

    /// <summary>All that it hands over is wrong, and little else.</summary>
    public bool LiesInHandOvers { get; init; }

    /// <summary>1 for a node as fast as others.</summary>
    public double Slowness { get; set; } = 1;

    public string Arithmetic { get; }

    public void Beat() => Step(new NodeInput.Beat());

    /// <summary>The process is gone; its disk comes back with <see cref="Restart"/>, if that is called.</summary>
    public void Die() => IsAlive = false;

    public void Restart()
    {
        Incarnation++;
        (IsAlive, IsLeaving, IsDraining, IsCutOff) = (true, false, false, false);
        _on.Clear();
        _sources.Clear();
        _on.Devices = _first;
        _coordinator = Begin();
        Beat();
    }

    public void Leave()
    {
        (IsLeaving, IsDraining) = (true, false);
        Step(new NodeInput.Leave());
    }

    public void Drain(bool undo)
    {
        IsDraining = !undo && !IsLeaving;
        Step(new NodeInput.Told(new NodeNews.Drain("1", undo)));
    }

    public void Receive(object message) => Step(message switch
    {
        WorkOrder order => new NodeInput.Ordered(order),
        NodeCommand command => new NodeInput.Commanded(command),
        _ => throw new InvalidOperationException($"not for a node: {message}"),
    });

    /// <summary>Its accidents are over.</summary>
    public void Mend()
    {
        (IsCutOff, IsFull, IsBroken, Slowness) = (false, false, false, 1);
        if (!IsAlive)
            return;
        if (_first.Length > 0)
            Use(_first);
        Drain(undo: true);
    }

    /// <summary>A person gives it other devices, or one of those that compute hangs until it is taken for lost.</summary>
    /// <param name="mayLoseAll">The last one may be lost, too.</param>
    public void ChangeDevices(bool mayLoseAll)
    {
        var computing = _on.Running.Where(r => r.Value is { IsHung: false, Devices.Length: > 0 }).OrderBy(r => r.Key).ToList();
        if (computing.Count == 0 || _world.Chance.Next(2) == 0 || (_on.Devices.Length < 2 && !mayLoseAll))
        {
            var before = _on.Devices;
            int[] all = [0, 1, 2, 3];
            _world.Chance.Shuffle(all);
            Use(Cpus(all.Take(_world.Chance.Next(1, 5))));
            // Somebody changes their mind, perhaps before the replicas have moved.
            if (_world.Chance.Next(2) == 0)
                _world.After(this, _world.Milliseconds(1, 50), () => Use(before));
            return;
        }

        var (number, work) = computing[_world.Chance.Next(computing.Count)];
        work.IsHung = true;
        _world.After(this, _world.Milliseconds(100, 5000), () =>
        {
            // The node may have been given others meanwhile.
            if (!_on.Running.ContainsKey(number))
                return;
            var lost = work.Devices[_world.Chance.Next(work.Devices.Length)];
            _on.Devices = [.. _on.Devices.Where(d => d != lost)];
            // Where slices are mirrored, the others repeat the step.
            var repeats = work.Order.Content is Compute && work.Devices.Length > 1 && _world.Chance.Next(2) == 0;
            if (!repeats)
                _on.Running.Remove(number);
            Step(new NodeInput.DeviceLost(number, lost, "it hangs", repeats));
        });
    }

    private static DeviceId[] Cpus(IEnumerable<int> numbers) => [.. numbers.Select(i => new DeviceId($"cpu:{i}"))];

    private void Use(DeviceId[] devices)
    {
        _on.Devices = devices;
        Step(new NodeInput.HasDevices(devices));
    }

    private NodeCoordinator Begin()
    {
        var coordinator = new NodeCoordinator(new NodeFacts
        {
            Id = Id,
            Incarnation = $"{Incarnation}",
            Address = $"{Id}:40",
            Endpoint = Endpoint,
            Seed = _isSeed,
            Version = "0.2",
            Arithmetic = Arithmetic,
        });
        _ = coordinator.Step(new NodeInput.HasDevices(_on.Devices));
        return coordinator;
    }

    private void Step(NodeInput input)
    {
        var outputs = _coordinator.Step(input);
        _world.Supervisor.Reached.Note(input, outputs);
        foreach (var output in outputs)
            Carry(output);
    }

    private void Carry(NodeOutput output)
    {
        switch (output)
        {
            case NodeOutput.Send { Message: var message }:
                if (message is WorkResult result)
                    _on.Note(result);
                else if (message is NodeReport.Enlist report)
                    _on.CheckSaid(report);
                _world.ToSupervisor(this, message);
                break;
            case NodeOutput.Open { Command: var open }:
                Delayed(_world.Milliseconds(0, 20), new NodeInput.Opened(open.RunId, 4, null));
                break;
            case NodeOutput.BeginRound begin:
                Blobs.Begin(begin.Round);
                break;
            case NodeOutput.UseSources use:
                _sources.UnionWith(use.Endpoints);
                break;
            case NodeOutput.Start start:
                Start(start);
                break;
            case NodeOutput.Move move:
                var moving = _on.Running[move.Work];
                _on.CheckGiven(move.Devices.Except(moving.Devices), move.Work);
                moving.Next = [.. move.Devices];
                _world.After(this, Slowness * _world.Milliseconds(1, 50), () => MoveTo(move.Work));
                break;
            case NodeOutput.RepeatStep repeat:
                var repeating = _on.Running[repeat.Work];
                (repeating.Devices, repeating.Next, repeating.IsHung) = ([.. repeat.Devices], [], false);
                _world.After(this, Slowness * _world.Milliseconds(100, 400), () => End(repeat.Work, Do(repeating.Order)));
                break;
            case NodeOutput.CloseDevice { Device: var closed }:
                _on.CheckClosed(closed);
                break;
            case NodeOutput.Stop { Work: var work } when _on.Running.TryGetValue(work, out var running):
                _world.After(this, Slowness * _world.Milliseconds(1, 50),
                    () => End(work, running.Order.Content is Compute c ? HandOver(c) : null));
                break;
            case NodeOutput.Abandon { Work: var work }:
                _world.After(this, Slowness * _world.Milliseconds(1, 50), () => End(work, null));
                break;
            case NodeOutput.Survey { Command: var survey }:
                _world.After(this, _world.Milliseconds(1, 50), () => _world.ToSupervisor(this, new NodeReport.Surveyed(
                    Id, survey.RunId, survey.Number, survey.Sets, [.. survey.Sets.Where(Blobs.IsWhole)], survey.Part)));
                break;
            case NodeOutput.Retain { Command: var retain }:
                _world.After(this, _world.Milliseconds(1, 50), () => Blobs.Retain(retain.Sets, retain.Round));
                break;
            case NodeOutput.Reschedule:
                Delayed(0, new NodeInput.Schedule());
                break;
            case NodeOutput.Left:
                Die();
                break;
        }
    }

    private void Delayed(double milliseconds, NodeInput input)
    {
        _on.Delays++;
        _world.After(this, milliseconds, () =>
        {
            _on.Delays--;
            Step(input);
        });
    }

    private void Start(NodeOutput.Start start)
    {
        _on.CheckGiven(start.Devices, start.Work);
        _on.Running[start.Work] = new DeviceRules.OnDevice(start.Order) { Devices = [.. start.Devices] };
        if (start.Devices.Count == 0)
        {
            _world.After(this, Slowness * _world.Milliseconds(5, 100), () => End(start.Work, Do(start.Order)));
            return;
        }

        var failure = Lacking(WorkKinds.Of(start.Order.Key).Needs(start.Order.Content));
        var milliseconds = Slowness * _world.Milliseconds(100, 400);
        if (failure is null && start.Order.Content is Compute compute)
        {
            var steps = compute.Segment.StepsOf(compute.Replica);
            for (var step = compute.HandOver?.Step ?? 0; step < (Hangs ? Math.Min(1, steps) : steps); step++)
                Report(start.Work, milliseconds * step / steps, new NodeReport.StepTaken(
                    Id, new RunId(start.Order.Job.Value), compute.Round, compute.Replica, step + 1, 1.0, 1e-3));
            if (Hangs)
                return;
        }

        _world.After(this, milliseconds, () => End(start.Work, failure ?? Do(start.Order)));
    }

    private void Report(int work, double milliseconds, NodeReport.StepTaken step) => _world.After(this, milliseconds, () =>
    {
        if (_on.Running.TryGetValue(work, out var running) && !running.IsHung)
            _world.ToSupervisor(this, step);
    });

    // Ends work when it is done, or at an earlier step boundary when the node was asked to stop it.
    private void End(int work, WorkOutcome? outcome)
    {
        if (_on.Running.TryGetValue(work, out var running) && !running.IsHung && _on.Running.Remove(work))
            Step(new NodeInput.Ended(work, outcome));
    }

    // Between two steps.
    private void MoveTo(int work)
    {
        if (!_on.Running.TryGetValue(work, out var running) || running.IsHung || running.Next.Length == 0)
            return;
        (running.Devices, running.Next) = (running.Next, []);
        Step(new NodeInput.Moved(work));
    }

    private WorkFailed? Lacking(params IEnumerable<Digest> sets) =>
        sets.All(Fetch) ? null : new WorkFailed("a blob is missing", WorkFailure.Lost);

    private bool Fetch(Digest set)
    {
        foreach (var blob in Blobs.BlobsOf(set))
        {
            if (!Blobs.Has(blob) && !IsThere(blob))
                return false;
            Blobs.Add(blob);
        }

        return true;
    }

    // Fetches only from nodes that orders have named.
    private bool IsThere(Digest blob) => !IsCutOff && _world.HasBlob(blob, this, _sources);

    private WorkOutcome Do(WorkOrder order)
    {
        if (IsFull && order.Content is not Evaluate)
            return new WorkFailed("the disk is full", WorkFailure.Exhausted);
        if (IsBroken || _world.IsMishap())
            return new WorkFailed("something went wrong", WorkFailure.Transient);
        switch (order.Content)
        {
            case Initialize:
                var first = IsLie() ? D("a lie about version 0") : VirtualArithmetic.First;
                Blobs.Add(first);
                return new Initialized(first, D($"fingerprint {first}"));
            case Evaluate c:
                var score = VirtualArithmetic.Score(c.Version);
                return new Evaluated(IsLie() ? score with { LossNats = 0.5 } : score);
            case Compute c:
                var result = c.HandOver is { } from
                    ? VirtualArithmetic.Resume(c, from)
                    : VirtualArithmetic.Compute(c.Segment, c.Round, c.Replica, c.Version, c.InnerState);
                if (IsLie())
                    result = result with { Contribution = D($"lie {c.Round} {c.Replica} {_world.Chance.Next(3)}") };
                Blobs.Add(result.Contribution);
                Blobs.Add(result.InnerState);
                return new Computed(result, c.HandOver?.State);
            case Average c:
                if (Lacking([c.Version, .. c.Contributions.Where(d => !Blobs.Has(d) && !IsThere(d))]) is { } lacking)
                    return lacking;                                    // contributions are read from other nodes, and not stored
                var chunks = c.Chunks.Select(chunk => VirtualArithmetic.Average(
                    c.Round, chunk, c.Version, c.Contributions, c.Changes)).ToArray();
                if (IsLie())
                    chunks[0] = chunks[0] with { Parameters = D($"lie {chunks[0].Parameters}") };
                foreach (var chunk in chunks)
                    Blobs.Add(chunk.Parameters);
                return new Averaged(c.Round, AveragedChunk.Inputs(c.Version, c.Contributions), chunks);
            case Assemble c:
                if (Lacking(c.Chunks.Select(chunk => chunk.Parameters)) is { } missing)
                    return missing;
                var version = VirtualArithmetic.Version(_world.Plan, c.Chunks);
                _world.Contents[version] = [.. c.Chunks.Select(chunk => chunk.Parameters)];
                Blobs.Add(version);
                return new Assembled(c.Round, version);
            case Copy c:
                return Lacking(c.Set) ?? (WorkOutcome)new Copied(c.Set);
            case TakeCheckpoint c:
                return Lacking([c.Parameters, .. c.InnerStates]) ?? (WorkOutcome)new CheckpointWritten(new Checkpoint(
                    c.Version, c.Parameters, c.Fingerprint, c.InnerStates, c.TokensSeen, c.ChainHead, $"{c.Version}"));
            default:
                throw new InvalidOperationException($"not a piece of work: {order.Content}");
        }
    }

    private bool IsLie() => Lies && (LiesInHandOvers ? _world.Chance.Next(10) == 0 : _world.Chance.Next(3) > 0);

    private HandedOver? HandOver(Compute c)
    {
        var step = _world.Chance.Next(c.HandOver?.Step ?? 0, c.Segment.StepsOf(c.Replica));
        if (step == 0)
            return null;                                               // stopped before the first step
        var state = VirtualArithmetic.StateAfter(c, step);
        if (LiesInHandOvers || IsLie())
            state = D($"lie {state}");
        Blobs.Add(state);
        return new HandedOver(new ReplicaHandOver(c.Round, c.Replica, step, state, 3.0 * step, D($"samples {c.Round} {c.Replica} {step}")));
    }
}
