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
    private readonly HashSet<Type> _unsendable = [];

    /// <param name="runs">The reference to the <c>runs</c> singleton.</param>
    /// <param name="say">Tells the person at this process what happens.</param>
    public LinkActor(IActorRef agent, IActorRef runs, Action<string> say)
    {
        Receive<UnsendableMessage>(unsendable =>
        {
            if (_unsendable.Add(unsendable.Message.GetType()))
                say($"{unsendable}; nobody gets it, and what waits for it waits in vain: report this, with log.txt of the data directory");
        });
        Receive<NodeCommand>(agent.Tell);
        Receive<WorkOrder>(agent.Tell);
        Receive<NodeNews>(agent.Tell);
        Receive<IWireMessage>(message => runs.Tell(message, Self));
        agent.Tell(new NodeAgent.Link(Self));
    }

    /// <inheritdoc/>
    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(UnsendableMessage));
}
