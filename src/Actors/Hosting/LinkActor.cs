using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Actors.Serialization;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Represents the node agent, which lives outside the cluster, within it: passes the agent's messages to the supervisors, and theirs to
/// the agent. Each join of the process makes a new one.
/// </summary>
internal sealed class LinkActor : ReceiveActor
{
    /// <param name="runs">The reference to the <c>runs</c> singleton.</param>
    /// <param name="say">Tells the person at this process what could not be sent.</param>
    public LinkActor(IActorRef agent, IActorRef runs, Action<string> say)
    {
        Receive<UnsentMessage>(unsent => say(unsent.Why));
        Receive<NodeCommand>(agent.Tell);
        Receive<WorkOrder>(agent.Tell);
        Receive<NodeNews>(agent.Tell);
        Receive<IWireMessage>(message => runs.Tell(message, Self));
        agent.Tell(new NodeAgent.Link(Self));
    }

    /// <inheritdoc/>
    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(UnsentMessage));
}
