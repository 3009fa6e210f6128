using Akka.Actor;
using Akka.Event;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Actors.Runs;

/// <summary>
/// Keeps one job in pieces: feeds its <see cref="PiecesCoordinator"/>. Nothing is stored: where this actor is lost, the asker's next
/// request makes another one, which goes on from what the asker has.
/// </summary>
internal sealed class PiecesSupervisor : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    // The asker asks several times a second. Where its process is gone, nobody waits for the pieces.
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(2);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<NodeId, IActorRef> _nodes = [];
    private readonly AwakeTime _time = new(TimeProvider.System, SupervisorContext.MostBetweenLooks);
    private readonly long _began;
    private readonly RunId _job;
    private readonly PiecesCoordinator _coordinator;
    private TimeSpan _asked;

    public PiecesSupervisor(RunId job, PiecesCoordinator coordinator)
    {
        (_job, _coordinator, _began) = (job, coordinator, _time.GetTimestamp());
        Receive<JobRequest>(IsEnd, _ =>
        {
            Sender.Tell(_coordinator.Show());
            End();
        });
        Receive<JobRequest>(request =>
        {
            if (_asked == default)
                _log.Info("{0} is supervised here", job);
            _asked = Now;
            Carry(_coordinator.Ask(request, Now));
            Sender.Tell(_coordinator.Show());
        });
        Receive<FromNode>(from => Hear(from.Message));
        Receive<NodeLost>(lost =>
        {
            Step(new RunInput.Lost(lost.Node));
            _nodes.Remove(lost.Node);
        });
        Receive<Tick>(_ =>
        {
            Step(new RunInput.Tick());
            if (Now - _asked < Silence)
                return;
            _log.Info("{0} ends: its asker says nothing", job);
            End();
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="PiecesSupervisor"/>
    public static Props Props(RunId job, PiecesCoordinator coordinator) =>
        Akka.Actor.Props.Create(() => new PiecesSupervisor(job, coordinator));

    /// <summary>True for the last request of a job.</summary>
    public static bool IsEnd(JobRequest request) => request is EvaluationRequest.End or BuildRequest.End;

    /// <inheritdoc/>
    protected override void PreStart() => Timers.StartPeriodicTimer(Tick.Instance, Tick.Instance, Beat, Beat);

    // A coordinator that has failed half-way is not to go on, and another one would be given the same: the asker is told instead.
    /// <inheritdoc/>
    protected override bool AroundReceive(Receive receive, object message)
    {
        try
        {
            return base.AroundReceive(receive, message);
        }
        catch (Exception e)
        {
            _log.Error(e, "{0}: the supervisor failed", _job);
            Context.Parent.Tell(new JobFailed(
                _job, $"its supervisor failed ({ListProblems.Named(e)}): see log.txt of the seed that supervises"));
            Context.Stop(Self);
            return true;
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_began);

    private void Hear(IWireMessage message)
    {
        switch (message)
        {
            case WorkResult result:
                Step(new RunInput.Answered(result));
                break;
            case NodeReport.Enlist report:
                _nodes[report.Node] = Sender;
                Step(new RunInput.Reported(report));
                break;
            case NodeReport report:
                Step(new RunInput.Reported(report));
                break;
        }
    }

    private void Step(RunInput input) => Carry(_coordinator.Step(input, Now, Random.Shared));

    private void Carry(IReadOnlyList<RunOutput> outputs)
    {
        foreach (var output in outputs)
        {
            switch (output)
            {
                case RunOutput.Send send:
                    _nodes.GetValueOrDefault(send.Node, ActorRefs.Nobody).Tell(send.Message);
                    break;
                case RunOutput.Notice notice:
                    _log.Warning("{0}: {1}", Self.Path.Name, notice.Text);
                    break;
                case RunOutput.Dropped dropped:
                    _log.Info("{0}: {1} counts for nothing: {2}", Self.Path.Name, dropped.What, dropped.Why);
                    break;
            }
        }
    }

    private void End()
    {
        Carry(_coordinator.End());
        Context.Stop(Self);
    }

    private sealed record Tick
    {
        public static readonly Tick Instance = new();
    }
}
