using System.Threading.Channels;
using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Hosting;

/// <summary>Subscribes to a run's views for a person's display, and passes them on, until the last one or its own end.</summary>
internal sealed class WatcherActor : ReceiveActor, IWithTimers
{
    // Subscribes again and again, because a supervisor that restarted, or has moved, knows no watchers.
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(2);
    private readonly RunWatch.Watch _ask;
    private readonly ChannelWriter<RunView> _views;

    public WatcherActor(RunName run, Func<IActorRef?> runs, ChannelWriter<RunView> views)
    {
        (_ask, _views) = (new RunWatch.Watch(run), views);
        Receive<RunWatch.Watch>(watch => runs()?.Tell(watch, Self));
        Receive<RunView>(view =>
        {
            views.TryWrite(view);
            if (IsLast(view))
                views.TryComplete();
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>True for a view after which none comes: the run is over, or stopped, or cannot go on.</summary>
    public static bool IsLast(RunView view) => view.Phase is RunPhase.Finished or RunPhase.Stopped || view.Failure is not null;

    /// <inheritdoc/>
    protected override void PostStop() => _views.TryComplete();

    /// <inheritdoc/>
    protected override void PreStart() => Timers.StartPeriodicTimer(_ask, _ask, TimeSpan.Zero, Again);
}
