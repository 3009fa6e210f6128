using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

/// <summary>NodeAgent without actors: the same book of answers and parts, virtual devices and blobs of its own.</summary>
public sealed class VirtualNode(NodeId id, int devices, bool seed, VirtualWorld world)
{
    private readonly List<NodeCommand> _waiting = [];
    private readonly List<OnDevice> _running = [];
    private Answers _answers = new();
    private MessageParts _parts = new();
    private bool _stopping;

    public NodeId Id { get; } = id;

    public VirtualBlobs Blobs { get; } = new(world.Contents);

    /// <summary>Counts the processes that were this node; the world drops what was meant for an earlier one.</summary>
    public int Incarnation { get; private set; }

    public bool IsAlive { get; private set; } = true;

    /// <summary>Its messages do not come through, neither way, and nobody can fetch from it.</summary>
    public bool IsCutOff { get; set; }

    public bool IsReachable => IsAlive && !IsCutOff;

    public bool IsLeaving { get; private set; }

    public bool IsFull { get; set; }

    /// <summary>Its disk or a device is broken: whatever it does fails, for no reason that it can name.</summary>
    public bool IsBroken { get; set; }

    /// <summary>Its memory flips bits: some of what it computes is wrong.</summary>
    public bool Lies { get; init; }

    /// <summary>1 for a node as fast as others.</summary>
    public double Slowness { get; set; } = 1;

    public string Arithmetic { get; init; } = Begin.Arithmetic;

    public void Beat()
    {
        world.ToSupervisor(this, Enlistment());
        foreach (var answer in _answers.Overdue())
            world.ToSupervisor(this, answer);
    }

    /// <summary>The process is gone; what is on its disk may come back with <see cref="Restart"/>.</summary>
    public void Die() => IsAlive = false;

    public void Restart()
    {
        Incarnation++;
        IsAlive = true;
        (IsLeaving, IsCutOff, _stopping) = (false, false, false);
        (_answers, _parts) = (new Answers(), new MessageParts());
        _waiting.Clear();
        _running.Clear();
        Beat();
    }

    public void Leave()
    {
        IsLeaving = true;
        Stop();
        Beat();
    }

    public void Receive(NodeCommand message)
    {
        switch (message)
        {
            case NodeCommand.OpenRun or NodeCommand.Exclude:
                return;
            case NodeCommand.StopRun:
                Stop();
                return;
            case NodeCommand.Release:
                if (IsLeaving)
                    Die();
                return;
            case NodeCommand.DropWork drop:
                foreach (var work in drop.Works)
                    Drop(work);
                StartWork();
                return;
        }

        if (_parts.Join(message) is { } command)
            Take(command);
    }

    private NodeReport.Enlist Enlistment() => new(
        Id, [.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cpu:{i}"))], $"{Incarnation}", $"{Id}:80", seed, "0.2", Arithmetic, [.. _answers.Works], IsLeaving);

    private void Take(NodeCommand command)
    {
        if (IsLeaving && command is NodeCommand.RunReplica or NodeCommand.Evaluate)
            return;
        if (command is NodeCommand.RunReplica or NodeCommand.Evaluate)
            _stopping = false;
        if (WorkKey.Of(command) is not null)
        {
            if (_answers.Given(command, Blobs.IsWhole) is { } answer)
                world.ToSupervisor(this, answer);
            if (!_answers.TakeUp(command))
                return;
        }

        if (RoundOf(command) is { } round)
            Blobs.Begin(round);
        switch (command)
        {
            case NodeCommand.RunReplica or NodeCommand.Evaluate:
                _waiting.Add(command);
                StartWork();
                break;
            case NodeCommand.Survey survey:
                world.After(this, world.Milliseconds(1, 50), () => world.ToSupervisor(
                    this, new NodeReport.Surveyed(Id, VirtualRun.Id, survey.Sets, [.. survey.Sets.Where(Blobs.IsWhole)], survey.Part)));
                break;
            case NodeCommand.Retain retain:
                world.After(this, world.Milliseconds(1, 50), () => Blobs.Retain(retain.Sets, retain.Round));
                break;
            default:
                world.After(this, Slowness * world.Milliseconds(5, 100), () => Answer(command, Do(command)));
                break;
        }
    }

    private static int? RoundOf(NodeCommand command) => command switch
    {
        NodeCommand.RunReplica c => c.Round,
        NodeCommand.AverageChunks c => c.Round,
        NodeCommand.Assemble c => c.Round,
        NodeCommand.CopySet c => c.Round,
        _ => null,
    };

    private void StartWork()
    {
        while (_waiting.Count > 0 && _running.Count < devices)
        {
            var work = new OnDevice(_waiting[0]);
            _waiting.RemoveAt(0);
            _running.Add(work);
            var failure = Lacking(work.Command, work.Command is NodeCommand.RunReplica r
                ? [r.HandOver?.State ?? r.Version, .. (r.HandOver?.State ?? r.InnerState) is { } state ? [state] : Array.Empty<Digest>()]
                : [((NodeCommand.Evaluate)work.Command).Parameters]);
            world.After(this, Slowness * world.Milliseconds(100, 400), () => End(work, failure ?? Do(work.Command)));
        }
    }

    // At the end of its work, or at a step boundary before, when it was asked to stop.
    private void End(OnDevice work, object? result)
    {
        if (!_running.Remove(work))
            return;
        if (!work.IsDropped)
            Answer(work.Command, result);
        StartWork();
        TellIfIdle();
    }

    private void Stop()
    {
        _stopping = true;
        foreach (var command in _waiting)
            _answers.PutDown(command);
        _waiting.Clear();
        foreach (var work in _running.ToList())
            world.After(this, Slowness * world.Milliseconds(1, 50), () => End(work, work.Command is NodeCommand.RunReplica c ? HandOver(c) : null));
        TellIfIdle();
    }

    private void TellIfIdle()
    {
        if (_stopping && _running.Count == 0)
            world.ToSupervisor(this, new NodeReport.RunIdle(Id, VirtualRun.Id));
    }

    private void Drop(WorkKey work)
    {
        _answers.Drop(new RunWork(VirtualRun.Id, work));
        _waiting.RemoveAll(c => WorkKey.Of(c) == work);
        foreach (var running in _running.Where(r => WorkKey.Of(r.Command) == work && !r.IsDropped).ToList())
        {
            running.IsDropped = true;
            world.After(this, Slowness * world.Milliseconds(1, 50), () => End(running, null));
        }
    }

    private void Answer(NodeCommand command, object? result)
    {
        if (_answers.Finish(new WorkAnswer(command, result)) is { } message)
            world.ToSupervisor(this, message);
    }

    private NodeReport.WorkFailed? Lacking(NodeCommand command, params IEnumerable<Digest> sets) =>
        sets.All(Fetch) ? null : new NodeReport.WorkFailed(Id, command, "a blob is missing", WorkFailure.Lost);

    private bool Fetch(Digest set)
    {
        foreach (var blob in Blobs.BlobsOf(set))
        {
            if (!Blobs.Has(blob) && (IsCutOff || !world.HasDonor(blob)))
                return false;
            Blobs.Add(blob);
        }

        return true;
    }

    private object Do(NodeCommand command)
    {
        if (IsFull && command is not NodeCommand.Evaluate)
            return new NodeReport.WorkFailed(Id, command, "the disk is full", WorkFailure.Permanent);
        if (IsBroken || world.IsMishap())
            return new NodeReport.WorkFailed(Id, command, "something went wrong", WorkFailure.Transient);
        switch (command)
        {
            case NodeCommand.Initialize:
                Blobs.Add(VirtualArithmetic.First);
                return new RunCommand.FinishInitialization(VirtualRun.Id, Id, VirtualArithmetic.First, D($"fingerprint {VirtualArithmetic.First}"));
            case NodeCommand.Evaluate c:
                return new RunCommand.FinishEvaluation(VirtualRun.Id, Id, new VersionScore(c.Version, 9.0 - c.Version, 1));
            case NodeCommand.RunReplica c:
                var result = VirtualArithmetic.Compute(world.Plan, c.Round, c.Replica, c.Version, c.InnerState);
                if (Lies && world.Chance.Next(3) > 0)
                    result = result with { Contribution = D($"lie {c.Round} {c.Replica} {world.Chance.Next(3)}") };
                Blobs.Add(result.Contribution);
                Blobs.Add(result.InnerState);
                return new RunCommand.FinishReplica(VirtualRun.Id, Id, result);
            case NodeCommand.AverageChunks c:
                if (Lacking(c, [c.Version, .. c.Contributions.Where(d => !Blobs.Has(d) && !world.HasDonor(d))]) is { } lacking)
                    return lacking;                                    // contributions are read from where they are, and not kept
                var chunks = c.Chunks.Select(chunk => VirtualArithmetic.Average(c.Round, chunk, c.Version, c.Contributions)).ToArray();
                foreach (var chunk in chunks)
                    Blobs.Add(chunk.Parameters);
                return new RunCommand.FinishChunks(VirtualRun.Id, Id, c.Round, AveragedChunk.Inputs(c.Version, c.Contributions), chunks);
            case NodeCommand.Assemble c:
                if (Lacking(c, c.Chunks.Select(chunk => chunk.Parameters)) is { } missing)
                    return missing;
                var version = VirtualArithmetic.Version(world.Plan, c.Chunks);
                world.Contents[version] = [.. c.Chunks.Select(chunk => chunk.Parameters)];
                Blobs.Add(version);
                return new NodeReport.VersionHeld(Id, VirtualRun.Id, c.Round, version);
            case NodeCommand.CopySet c:
                return Lacking(c, c.Set) ?? (object)new NodeReport.SetHeld(Id, VirtualRun.Id, c.Round, c.Copy, c.Set);
            case NodeCommand.TakeCheckpoint c:
                return Lacking(c, [c.Parameters, .. c.InnerStates]) ?? (object)new RunCommand.FinishCheckpoint(VirtualRun.Id, Id, new Checkpoint(
                    c.Version, c.Parameters, c.Fingerprint, c.InnerStates, c.TokensSeen, c.Ledger, $"{c.Version}"));
            default:
                throw new InvalidOperationException($"not a piece of work: {command}");
        }
    }

    private RunCommand.HandOverReplica? HandOver(NodeCommand.RunReplica c)
    {
        var step = world.Chance.Next(c.HandOver?.Step ?? 0, world.Plan.InnerSteps);
        if (step == 0)
            return null;                                               // stopped before there was anything to say
        var state = D($"hand-over {c.Round} {c.Replica} {step} {c.Version} {c.InnerState}");
        Blobs.Add(state);
        return new RunCommand.HandOverReplica(
            VirtualRun.Id, Id, new ReplicaHandOver(c.Round, c.Replica, step, state, 3.0 * step, D($"samples {c.Round} {c.Replica} {step}")));
    }

    private sealed class OnDevice(NodeCommand command)
    {
        public NodeCommand Command => command;

        public bool IsDropped { get; set; }
    }
}
