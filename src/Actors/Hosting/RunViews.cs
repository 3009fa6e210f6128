using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Hosting;

/// <summary>What a person sees of a run, also when this process joins the cluster anew meanwhile.</summary>
internal static class RunViews
{
    /// <summary>The run's views, until the last one, or until this process leaves the cluster for good.</summary>
    public static async IAsyncEnumerable<RunView> WatchAsync(
        ClusterMembership member, RunName run, [EnumeratorCancellation] CancellationToken cancel)
    {
        RunView? last = null;
        ActorSystem system;
        do
        {
            // A slow display gets the newest views, not all.
            var views = Channel.CreateBounded<RunView>(new BoundedChannelOptions(64) { FullMode = BoundedChannelFullMode.DropOldest });
            system = member.System;
            var watcher = Begin(system, run, () => member.Runs, views.Writer);
            try
            {
                await foreach (var view in views.Reader.ReadAllAsync(cancel))
                    yield return last = view;
            }
            finally
            {
                watcher.Tell(PoisonPill.Instance);
            }
        }
        // A watcher ends with its actor system, which ends where this process loses its membership, and is made anew to join again.
        while ((last is null || !WatcherActor.IsLast(last)) && await member.RejoinsAsync(system, cancel));
    }

    // In an actor system that is ending it has ended already.
    private static IActorRef Begin(ActorSystem system, RunName run, Func<IActorRef?> runs, ChannelWriter<RunView> views)
    {
        try
        {
            return system.ActorOf(Props.Create(() => new WatcherActor(run, runs, views)));
        }
        catch (InvalidOperationException)
        {
            views.TryComplete();
            return ActorRefs.Nobody;
        }
    }
}
