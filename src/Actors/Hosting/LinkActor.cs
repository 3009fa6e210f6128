using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Stands in the cluster for the node agent, which lives outside of it: what the agent says goes to the supervisors, what they say to
/// the agent. There is a new one each time that the process joins.
/// </summary>
internal sealed class LinkActor : ReceiveActor
{
    /// <param name="runs">The way to the <c>runs</c> singleton.</param>
    public LinkActor(IActorRef agent, IActorRef runs)
    {
        Receive<NodeCommand>(agent.Tell);
        Receive<WorkOrder>(agent.Tell);
        Receive<NodeNews>(agent.Tell);
        Receive<IWireMessage>(message => runs.Tell(message, Self));
        agent.Tell(new NodeAgent.Link(Self));
    }
}
