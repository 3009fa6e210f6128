using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>The cluster singleton above all runs: one <see cref="RunSupervisor"/> each, and the nodes' first address.</summary>
public sealed class RunsActor : ReceiveActor
{
    private readonly Dictionary<NodeId, (NodeReport.Enlist Report, IActorRef Agent)> _nodes = [];

    // Who asked for a run last: told when its journal turns out to be unreadable, since its supervisor cannot.
    private readonly Dictionary<RunId, IActorRef> _starts = [];

    public RunsActor()
    {
        Receive<RunCommand>(command =>
        {
            if (command is RunCommand.Start)
                _starts[command.RunId] = Sender;
            Supervisor(command.RunId).Forward(command);
        });
        Receive<RunUnreadable>(run =>
        {
            if (_starts.Remove(run.RunId, out var starter))
                starter.Tell(new RunReply.Refused(run.RunId, run.Why));
        });
        Receive<RunWatch>(watch => Supervisor(watch.RunId).Forward(watch));
        Receive<NodeReport.Enlist>(report =>
        {
            _nodes[report.Node] = (report, Sender);
            foreach (var run in Context.GetChildren())
                run.Forward(report);
        });
    }

    private IActorRef Supervisor(RunId id)
    {
        var name = $"run-{id}";
        var known = Context.Child(name);
        if (!known.IsNobody())
            return known;
        var supervisor = Context.ActorOf(RunSupervisor.Props(id), name);
        foreach (var (report, agent) in _nodes.Values)
            supervisor.Tell(report, agent);
        return supervisor;
    }
}
