using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Model.Training;

namespace Elastic.Actors.Work;

/// <summary>
/// Work on some of a node's devices: a replica's round, or an evaluation. The actor starts the work, passes progress and result to the
/// node's agent, and ends.
/// </summary>
internal sealed class DeviceWorkActor : ReceiveActor
{
    // Of the node's agent, which answers from its mailbox.
    private static readonly TimeSpan AnswerDeadline = TimeSpan.FromMinutes(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _drop = new();
    private readonly DeviceMoves _moves = new();
    private TaskCompletionSource<DeviceGroup>? _goesBack;
    private bool _hasStepped;

    /// <param name="number">Number of the work within the node.</param>
    /// <param name="activity">Where the work says what it does.</param>
    public DeviceWorkActor(int number, WorkOrder order, NodeRun run, DeviceGroup devices, ReplicaMemory memory, WorkActivity activity)
    {
        Receive<NodeReport.StepTaken>(step =>
        {
            if (!_hasStepped)
                _log.Info("run {0} round {1} replica {2}: its first step here, {3:F2} s after it began",
                    run.Id, step.Round, step.Replica, Stopwatch.GetElapsedTime(_began).TotalSeconds);
            _hasStepped = true;
            Context.Parent.Tell(step);
        });
        Receive<NodeReport.Fetching>(Context.Parent.Tell);
        Receive<WorkOutcome>(outcome => End(number, outcome));
        Receive<PutDown>(_ => End(number, null));
        Receive<MoveTo>(move => _moves.Set(move.Devices));
        Receive<GoesBack>(back =>
        {
            _goesBack = back.With;
            Context.Parent.Tell(new WorkGoesBack(number, back.Lost.Device, back.Lost.Message));
        });
        Receive<GoOnWith>(others =>
        {
            _moves.Take();                                             // it may name the device that was lost
            _goesBack?.TrySetResult(others.Devices);
        });
        Receive<HasMoved>(_ => Context.Parent.Tell(new WorkMoved(number)));
        Receive<Status.Failure>(failure => LostDevice(failure.Cause) is not null, failure =>
        {
            var lost = LostDevice(failure.Cause)!;
            Context.Parent.Tell(new WorkLostDevice(number, lost.Device, lost.Message));
            Context.Stop(Self);
        });
        Receive<Status.Failure>(failure => End(number, WorkFailures.Of(failure.Cause)));
        Receive<StopAtStep>(_ => _stop.Cancel());
        Receive<DropAtStep>(_ =>
        {
            _stop.Cancel();
            _drop.Cancel();
        });

        var self = Self;
        _ = WorkExecutors.Of(order.Key)
            .ExecuteAsync(run, order.Content, new DeviceContext(
                devices, _moves, memory, activity, step => self.Tell(step), () => self.Tell(HasMoved.Instance),
                lost => GoBackAsync(self, lost), _stop.Token, _drop.Token))
            .PipeTo(Self, success: outcome => (object?)outcome ?? PutDown.Instance);
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _stop.Dispose();
        _drop.Dispose();
    }

    private static async Task<DeviceGroup> GoBackAsync(IActorRef self, DeviceFailedException lost)
    {
        var with = new TaskCompletionSource<DeviceGroup>(TaskCreationOptions.RunContinuationsAsynchronously);
        self.Tell(new GoesBack(lost, with));
        using var limit = new WaitDeadline(TimeProvider.System, AnswerDeadline);
        return await limit.HasEndedAsync(with.Task)
            ? await with.Task
            : throw new TimeoutException($"the node did not say within {AnswerDeadline.TotalSeconds} s on which devices the step goes on");
    }

    private void End(int number, WorkOutcome? outcome)
    {
        Context.Parent.Tell(new WorkEnded(number, outcome));
        Context.Stop(Self);
    }

    private static DeviceFailedException? LostDevice(Exception cause) => cause switch
    {
        DeviceFailedException { IsLost: true } lost => lost,
        AggregateException { InnerException: { } inner } => LostDevice(inner),
        _ => null,
    };

    /// <summary>Asks to go on with these devices from the next step boundary on.</summary>
    public sealed record MoveTo(DeviceGroup Devices) : INoSerializationVerificationNeeded;

    /// <summary>Tells work that waits to repeat its step with which devices.</summary>
    public sealed record GoOnWith(DeviceGroup Devices) : INoSerializationVerificationNeeded;

    private sealed record GoesBack(DeviceFailedException Lost, TaskCompletionSource<DeviceGroup> With) : INoSerializationVerificationNeeded;

    private sealed record HasMoved : INoSerializationVerificationNeeded
    {
        public static readonly HasMoved Instance = new();
    }

    // The work was stopped before it had an outcome.
    private sealed record PutDown : INoSerializationVerificationNeeded
    {
        public static readonly PutDown Instance = new();
    }

    public sealed record StopAtStep : INoSerializationVerificationNeeded
    {
        public static readonly StopAtStep Instance = new();
    }

    /// <summary>Asks to stop without a hand-over: no node waits for the result.</summary>
    public sealed record DropAtStep : INoSerializationVerificationNeeded
    {
        public static readonly DropAtStep Instance = new();
    }
}
