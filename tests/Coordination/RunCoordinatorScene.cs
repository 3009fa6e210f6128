using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// A coordinator with a journal, nodes that report and answer, and a clock that the test turns.
public abstract class RunCoordinatorScene
{
    private readonly Dictionary<NodeId, NodeCommand.Survey> _surveys = [];

    protected RunCoordinatorScene(bool goesOn = true) =>
        Coordinator = new RunCoordinator(Id, _ => ItsPlan, new CoordinatorSettings(goesOn, TimeSpan.FromSeconds(10)));

    protected RunCoordinator Coordinator { get; }

    /// <summary>What the coordinator wanted done so far, less what <see cref="Taken"/> took.</summary>
    protected List<RunOutput> Outputs { get; } = [];

    protected Random Chance { get; } = new(1);

    protected RunPlan ItsPlan { get; set; } = Plan;

    protected TimeSpan Now { get; private set; }

    protected static HeldWork Held(WorkKey key, int round) => new(Id.Job, new OrderId(1, 1), key, Version(round));

    protected void Recover(params IEnumerable<RunEvent> journal)
    {
        foreach (var e in journal)
            Coordinator.Replay(e);
        Step(new RunInput.Recovered());
        Step(new RunInput.TermBegun(Outputs.OfType<RunOutput.BeginTerm>().Last().Asking, 1));
    }

    // A run, and one node that has everything.
    protected void Begin(int round, NodeId node, params IEnumerable<RunEvent> then)
    {
        Recover([.. Journal(round), .. then]);
        Enlist(node);
        Survey(node, Coordinator.Run.Current());
    }

    protected void Step(RunInput input)
    {
        var outputs = Coordinator.Step(input, Now, Chance);
        Outputs.AddRange(outputs);
        foreach (var sent in outputs.OfType<RunOutput.Send>())
            if (sent.Message is NodeCommand.Survey survey)
                _surveys[sent.Node] = survey;
    }

    protected void After(double seconds) => Now += TimeSpan.FromSeconds(seconds);

    protected void Enlist(
        NodeId node, int devices = 1, string incarnation = "1", string arithmetic = "cpu 2",
        bool leaving = false, bool seed = false, int drains = 0, string[]? labels = null, params HeldWork[] works) =>
        Step(new RunInput.Reported(new NodeReport.Enlist(node)
        {
            Devices = [.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cpu:{i}"))],
            Incarnation = incarnation,
            Address = $"{node}:7000",
            Endpoint = $"{node}:7001",
            Seed = seed,
            Version = "0.2",
            Arithmetic = arithmetic,
            Works = HeldWorks.Of(works),
            Leaving = leaving || drains % 2 == 1,
            Draining = drains % 2 == 1,
            Drains = drains,
            Labels = labels ?? [],
        }));

    // The node answers the newest survey that it was asked for.
    protected void Survey(NodeId node, IEnumerable<Digest> intact)
    {
        var whole = intact.ToHashSet();
        var asked = _surveys[node];
        Step(new RunInput.Reported(
            new NodeReport.Surveyed(node, Id, asked.Number, asked.Sets, [.. asked.Sets.Where(whole.Contains)], asked.Part)));
    }

    protected void Assembled(NodeId node, int round) =>
        Step(new RunInput.Answered(Answer(node, AssembleWork.KeyOf(round), new Assembled(round, VersionAfter(round)))));

    protected void Fail(WorkOrder order, NodeId node, string why, WorkFailure kind) =>
        Step(new RunInput.Answered(new WorkResult(order.Job, node, order.Id, order.Key, order.From, new WorkFailed(why, kind))));

    protected RunReply Ask(RunRequest request)
    {
        Step(new RunInput.Asked(request, this));
        var reply = Outputs.OfType<RunOutput.Reply>().Last();
        Assert.Same(this, reply.Asker);
        return reply.Answer;
    }

    protected List<RunOutput.AskFence> Fences() => [.. Outputs.OfType<RunOutput.AskFence>()];

    // What a node was sent since the last call.
    protected List<IWireMessage> Taken(NodeId node)
    {
        var sent = Outputs.OfType<RunOutput.Send>().Where(s => s.Node == node).ToList();
        Outputs.RemoveAll(o => sent.Contains(o));
        return [.. sent.Select(s => s.Message)];
    }

    // Of an order its kind, of a command its name.
    protected List<string> Sent(NodeId node) => [.. Taken(node).Select(m => m is WorkOrder o ? o.Key.Kind : m.GetType().Name)];
}
