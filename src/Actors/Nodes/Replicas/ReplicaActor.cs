using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Nodes.Devices;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>
/// Work on some of a node's devices: a replica's round, or an evaluation. It starts the work, passes its progress and its
/// result to the node together with the devices, and ends.
/// </summary>
internal sealed class ReplicaActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _drop = new();
    private bool _hasStepped;

    public ReplicaActor(DeviceWork work, NodeRun run)
    {
        Receive<NodeReport.StepTaken>(step =>
        {
            if (!_hasStepped)
                _log.Info("run {0} round {1} replica {2}: its first step here, {3:F2} s after it began",
                    run.Id, step.Round, step.Replica, Stopwatch.GetElapsedTime(_began).TotalSeconds);
            _hasStepped = true;
            Context.Parent.Tell(step);
        });
        Receive<RunCommand>(result => End(work, result));
        Receive<PutDown>(_ => End(work, null));
        Receive<Status.Failure>(failure => End(work, WorkFailures.Of(run.Node, work.Command, failure.Cause)));
        Receive<StopAtStep>(_ => _stop.Cancel());
        Receive<DropAtStep>(_ =>
        {
            _stop.Cancel();
            _drop.Cancel();
        });

        var self = Self;
        var devices = new DeviceGroup([.. work.Devices.Select(d => d.Trainer)]);
        var running = work.Command switch
        {
            NodeCommand.RunReplica order =>
                new ReplicaRun(run, order, devices, work.Memory, run.Reader(false)).RunAsync(step => self.Tell(step), _stop.Token, _drop.Token),
            NodeCommand.Evaluate order => new EvaluationRun(run, order, devices, work.Memory, run.Reader(true)).RunAsync(_stop.Token),
            var other => throw new System.Diagnostics.UnreachableException($"not for devices: {other}"),
        };
        _ = running.PipeTo(Self, success: result => (object?)result ?? PutDown.Instance);
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _stop.Dispose();
        _drop.Dispose();
    }

    private void End(DeviceWork work, object? result)
    {
        Context.Parent.Tell(new DeviceWorkEnded(work, result));
        Context.Stop(Self);
    }

    // Stopped before there was anything to say.
    private sealed record PutDown : INoSerializationVerificationNeeded
    {
        public static readonly PutDown Instance = new();
    }

    public sealed record StopAtStep : INoSerializationVerificationNeeded
    {
        public static readonly StopAtStep Instance = new();
    }

    /// <summary>Stop, and hand nothing over: nobody waits for it.</summary>
    public sealed record DropAtStep : INoSerializationVerificationNeeded
    {
        public static readonly DropAtStep Instance = new();
    }
}

/// <summary>Devices, memory and what is to be done with them; handed over whole, and back when it is done.</summary>
internal sealed record DeviceWork(
    NodeCommand Command, IReadOnlyList<(DeviceId Id, IActorRef Trainer)> Devices, ReplicaMemory Memory) : INoSerializationVerificationNeeded;

/// <summary>The devices are the node's again, and so is the memory unless the work failed.</summary>
/// <param name="Result">Null when it was stopped before there was anything to say.</param>
internal sealed record DeviceWorkEnded(DeviceWork Work, object? Result) : INoSerializationVerificationNeeded;
