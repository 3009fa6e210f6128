using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Simulation;

/// <summary>A node on virtual devices and blobs: the shipped <see cref="NodeCoordinator"/>; only the executors are stand-ins.</summary>
public sealed partial class VirtualNode
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
        Split = _world.AnySplit();
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

    /// <summary>A person gives it other devices, or one of those that compute dies or hangs.</summary>
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
        LoseOneOf(number, work);
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
                Delayed(_world.Milliseconds(0, 20), new NodeInput.Opened(open.RunId, 4, null)
                {
                    GroupSizes = VirtualStep.GroupSizes(Split),
                });
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
                break;
            case NodeOutput.RepeatStep repeat:
                var repeating = _on.Running[repeat.Work];
                (repeating.Devices, repeating.Next, repeating.IsHung) = ([.. repeat.Devices], [], false);
                TakeStep(repeat.Work);
                break;
            case NodeOutput.CloseDevice { Device: var closed }:
                _on.CheckClosed(closed);
                break;
            case NodeOutput.Stop { Work: var work } when _on.Running.TryGetValue(work, out var stage) && AttemptOf(stage) is not null:
                StopStages(work, stage);
                break;
            case NodeOutput.Stop { Work: var work } when _on.Running.TryGetValue(work, out var running):
                _world.After(this, Slowness * _world.Milliseconds(1, 50),
                    () => End(work, running.Order.Content is Compute c ? HandOver(c, running.Step) : null));
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
        if (failure is null && AttemptOf(_on.Running[start.Work]) is not null)
        {
            BeginStage(start.Work, milliseconds);
            return;
        }

        if (failure is null && start.Order.Content is Compute compute)
        {
            BeginSteps(start.Work, compute, milliseconds);
            return;
        }

        _world.After(this, milliseconds, () => End(start.Work, failure ?? Do(start.Order)));
    }

    // Ends work when it is done, or at an earlier step boundary when the node was asked to stop it.
    private void End(int work, WorkOutcome? outcome)
    {
        if (_on.Running.TryGetValue(work, out var running) && !running.IsHung && _on.Running.Remove(work))
            Step(new NodeInput.Ended(work, outcome));
    }
}
