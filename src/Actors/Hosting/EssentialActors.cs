using Akka.Actor;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Watches the actors that must run for as long as their actor system does, and reports each that stops. Nothing else would notice: Akka
/// keeps the place of an actor that has ended empty, and the process would go on, up and useless.
/// </summary>
internal sealed class EssentialActors : ReceiveActor
{
    public EssentialActors(Action<string> stopped)
    {
        Receive<Watch>(watch => Context.WatchWith(watch.Actor, new Stopped(watch.What)));
        Receive<Stopped>(ended => stopped(ended.What));
    }

    /// <summary>
    /// The strategy of the parent of one actor that cannot be watched before it is made, and whose end is not always a failure: a cluster
    /// singleton moves. A failure of its work restarts it, as usual; one that cannot be made stops, and is reported to
    /// <paramref name="watch"/>.
    /// </summary>
    public static Akka.Actor.SupervisorStrategy Reporting(IActorRef watch, string what) => new OneForOneStrategy(failure =>
    {
        var directive = Akka.Actor.SupervisorStrategy.DefaultDecider.Decide(failure);
        if (directive == Directive.Stop)
            watch.Tell(new Stopped($"{what} ({failure.GetBaseException().Message})"));
        return directive;
    });

    /// <param name="What">What it is, for people.</param>
    internal sealed record Watch(IActorRef Actor, string What) : INoSerializationVerificationNeeded;

    private sealed record Stopped(string What) : INoSerializationVerificationNeeded;
}
