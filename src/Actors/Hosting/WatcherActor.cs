using System.Threading.Channels;
using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Hosting;

/// <summary>A person's window on a run: asks to be told, and passes on what it is told.</summary>
internal sealed class WatcherActor : ReceiveActor
{
    public WatcherActor(RunId run, IActorRef runs, ChannelWriter<RunView> views)
    {
        runs.Tell(new RunWatch.Watch(run));
        Receive<RunView>(view =>
        {
            views.TryWrite(view);
            if (view.Phase is RunPhase.Finished or RunPhase.Stopped || view.Failure is not null)
                views.TryComplete();
        });
    }
}
