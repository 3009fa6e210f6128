using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Actors.Serialization;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
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
    /// <param name="credentials">Null where the process runs without certificates.</param>
    public LinkActor(IActorRef agent, IActorRef runs, Action<string> say, Credentials? credentials = null)
    {
        var certificates = new CertificateExchange(credentials, say);
        NodeId? self = null;
        Receive<UnsendableMessage>(unsendable =>
        {
            if (_unsendable.Add(unsendable.Message.GetType()))
                say($"{unsendable}; nobody gets it, and what waits for it waits in vain: report this, with log.txt of the data directory");
        });
        Receive<NodeCommand>(agent.Tell);
        Receive<WorkOrder>(agent.Tell);
        // The liveness connection goes where a welcome says, and carries what identifies this process there: so a seed says it of its own
        // machine only.
        Receive<NodeNews.Welcome>(welcome =>
        {
            if (!IsOf(welcome, Sender.Path.Address))
                return;
            if (self is { } node && certificates.Receive(welcome, node) is { } newer)
                runs.Tell(newer, Self);
            agent.Tell(welcome);
        });
        Receive<NodeNews>(agent.Tell);
        Receive<NodeReport.Enlist>(report =>
        {
            self = report.Node;
            runs.Tell(certificates.Complete(report), Self);
        });
        Receive<IWireMessage>(message => runs.Tell(message, Self));
        agent.Tell(new NodeAgent.Link(Self));
    }

    private static bool IsOf(NodeNews.Welcome welcome, Address from) =>
        from.HasLocalScope || (Endpoint.TryParse(welcome.Endpoint, out var endpoint, out _) && endpoint.Host == from.HostOrNull());

    /// <inheritdoc/>
    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(UnsendableMessage));
}
