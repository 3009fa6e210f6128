using Akka.Actor;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes.Devices;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>
/// Work on some of a node's devices: a replica's round, or an evaluation. It starts the work, passes its progress and its
/// result to the supervisor, tells the node that the devices are free, and ends.
/// </summary>
internal sealed class ReplicaActor : ReceiveActor
{
    private readonly CancellationTokenSource _stop = new();

    public ReplicaActor(DeviceWork work, NodeRun run, IActorRef shardReaders)
    {
        Receive<NodeReport.StepTaken>(work.Supervisor.Tell);
        Receive<RunCommand>(result => End(work, result));
        Receive<PutDown>(_ => End(work, null));
        Receive<Status.Failure>(failure => End(work, WorkFailures.Of(run.Node, work.Command, failure.Cause)));
        Receive<StopAtStep>(_ => _stop.Cancel());

        var self = Self;
        var devices = new DeviceGroup([.. work.Devices.Select(d => d.Trainer)]);
        BlockReader Reader(bool heldOut) =>
            new(shardReaders, run.CorpusId, heldOut ? run.HeldOut! : run.Train, heldOut, run.Settings.Model.Context);
        var running = work.Command switch
        {
            NodeCommand.RunReplica order =>
                new ReplicaRun(run, order, devices, work.Memory, Reader(false)).RunAsync(step => self.Tell(step), _stop.Token),
            NodeCommand.Evaluate order => new EvaluationRun(run, order, devices, work.Memory, Reader(true)).RunAsync(_stop.Token),
            var other => throw new System.Diagnostics.UnreachableException($"not for devices: {other}"),
        };
        _ = running.PipeTo(Self, success: result => (object?)result ?? PutDown.Instance);
    }

    /// <inheritdoc/>
    protected override void PostStop() => _stop.Dispose();

    private void End(DeviceWork work, object? result)
    {
        if (result is not null)
            work.Supervisor.Tell(result, Context.Parent);
        Context.Parent.Tell(new DeviceWorkEnded(work, Failed: result is NodeReport.WorkFailed));
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
}

/// <summary>Devices, memory and what is to be done with them; handed over whole, and back when it is done.</summary>
internal sealed record DeviceWork(
    NodeCommand Command, IActorRef Supervisor, IReadOnlyList<(DeviceId Id, IActorRef Trainer)> Devices, ReplicaMemory Memory) : INoSerializationVerificationNeeded;

/// <summary>The devices are the node's again, and so is the memory unless the work failed.</summary>
internal sealed record DeviceWorkEnded(DeviceWork Work, bool Failed) : INoSerializationVerificationNeeded;
