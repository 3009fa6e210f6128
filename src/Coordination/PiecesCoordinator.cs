using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Supervises a job that is cut into pieces: gives them to nodes that may do them, again where a node is lost or slow, and keeps what
/// they come to until the asker has taken it. Nothing of it is stored: the asker says with each request what it has and what it wants,
/// so that another supervisor goes on from there. Knows neither actors nor clocks nor files; time and chance are arguments.
/// </summary>
public abstract class PiecesCoordinator
{
    // One is done while the next one is on its way.
    private const int PiecesAhead = 1;

    // What a node is asked before OpenRun has reached it, it answers by saying that the job is not open there.
    private static readonly TimeSpan BetweenOpenings = TimeSpan.FromSeconds(1);

    private readonly long _term;
    private readonly Dictionary<NodeId, TimeSpan> _opened = [];
    private readonly List<RunOutput> _outputs = [];
    private long _orders;

    /// <param name="term">Another one for each supervisor of the job.</param>
    /// <param name="secondNode">A piece that takes longer is slow, or its node hangs: an idle node does it, too.</param>
    private protected PiecesCoordinator(RunId job, long term, TimeSpan secondNode) => (Job, _term, SecondNode) = (job, term, secondNode);

    private protected RunId Job { get; }

    private protected TimeSpan SecondNode { get; }

    private protected TimeSpan Now { get; private set; }

    private protected WorkerHealth Health { get; } = new();

    private protected FailureHistory Failures { get; } = new();

    private protected ClusterView View { get; set; } = ClusterView.Empty;

    /// <summary>Why the newest node that could not do its work could not; null where all could.</summary>
    private protected string? Problem { get; private set; }

    /// <summary>The job as its asker sees it.</summary>
    public abstract ISaidBySeed Show();

    /// <summary>Takes what the asker wants now.</summary>
    /// <returns>What is to be done, in this order.</returns>
    public abstract IReadOnlyList<RunOutput> Ask(JobRequest request, TimeSpan now);

    /// <summary>Takes one input.</summary>
    /// <param name="now">Since any fixed moment; never smaller than before.</param>
    /// <param name="chance">Spreads retries. No result depends on it.</param>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<RunOutput> Step(RunInput input, TimeSpan now, Random chance)
    {
        ArgumentNullException.ThrowIfNull(chance);
        Invariant.Holds(now >= Now, $"time went back from {Now} to {now}");
        Now = now;
        switch (input)
        {
            case RunInput.Reported { Report: NodeReport.Enlist report }:
                Enlist(report);
                break;
            case RunInput.Reported { Report: NodeReport.RunUnopened report }:
                Unopened(report);
                break;
            case RunInput.Answered { Result: var result }:
                Receive(result, chance);
                break;
            case RunInput.Lost { Node: var node }:
                Forget(node);
                break;
            case RunInput.Tick:
                foreach (var work in Failures.Wake(Now))
                    View = View.Answered(work.Work, work.Node);
                if (Health.Recover(Now))
                    ReviewNodes();
                break;
        }
        GiveOut();
        return Take();
    }

    /// <summary>Ends the job: nodes stop, and remove what they stored of it.</summary>
    public IReadOnlyList<RunOutput> End() =>
        [.. Health.Reports.Select(r => new RunOutput.Send(r.Node, new NodeCommand.DeleteRun(Job)))];

    /// <summary>True once there is a request: before that, nobody knows what is wanted.</summary>
    private protected abstract bool IsAsked { get; }

    /// <summary>Nothing is given out any more.</summary>
    private protected virtual bool IsOver => false;

    /// <summary>The pieces that the asker wants and nobody has done yet, in their order.</summary>
    private protected abstract IEnumerable<WorkKey> Wanted { get; }

    private protected abstract bool IsWanted(WorkKey work);

    /// <summary>What of a node does pieces of this job; none where it may do none.</summary>
    private protected abstract IReadOnlyList<DeviceId> PlacesOf(NodeReport.Enlist report);

    /// <summary>Pieces that a node does at once.</summary>
    private protected abstract int PiecesAtOnce(IReadOnlyList<DeviceId> places);

    /// <summary>The order for a piece, without its id.</summary>
    private protected abstract WorkOrder OrderFor(WorkKey key, NodeId node, OrderId id);

    /// <summary>What opens the job on a node, in parts.</summary>
    private protected abstract IEnumerable<NodeCommand.OpenRun> Openings(OrderId number);

    /// <summary>Takes an outcome that is no failure.</summary>
    private protected abstract void Receive(WorkResult result);

    /// <summary>True where no other attempt can help.</summary>
    /// <param name="others">Other nodes may do the piece.</param>
    private protected virtual bool IsHopeless(WorkKey work, WorkFailed failed, bool others) => Failures.IsHopeless(work)
        || (failed.Kind == WorkFailure.Permanent && !others) || Failures.IsTedious(work, View.Nodes.Count);

    /// <summary>Nobody can do this piece.</summary>
    private protected abstract void GiveUp(WorkKey work, string why);

    /// <summary>Called before anything is given out.</summary>
    private protected virtual void Prepare()
    {
    }

    /// <summary>Looks at the nodes again, after some have come or changed.</summary>
    private protected virtual void ReviewNodes()
    {
        foreach (var report in Health.Reports.ToList())
            Enter(report);
    }

    private protected virtual void Forget(NodeId node)
    {
        Health.Forget(node);
        Failures.Forget(node);
        _opened.Remove(node);
        View = View.Lose(node);
    }

    /// <summary>Carries on after the asker has said what it wants.</summary>
    private protected IReadOnlyList<RunOutput> GoOn()
    {
        foreach (var over in View.InFlight.Keys.Where(w => !IsWanted(w.Work)).ToList())
            Drop(over.Node, over.Work);
        ReviewNodes();
        GiveOut();
        return Take();
    }

    private protected void At(TimeSpan now) => Now = now;

    private protected void Dismiss(WorkResult result, string what, string why) =>
        _outputs.Add(new RunOutput.Dropped($"{what} of {result.Node}", why));

    private protected void Rest(NodeId node, string why)
    {
        Problem = why;
        Health.MarkUnhealthy(node, why, Now);
        View = View.PutDown(node);
        ReviewNodes();
        _outputs.Add(new RunOutput.Notice($"{NameOf(node)} rests: {why}"));
    }

    /// <summary>A node has done a piece: nobody else needs to.</summary>
    private protected void Succeed(WorkResult result)
    {
        Failures.Succeeded(new InFlightWork(result.Key, result.Node));
        Health.MarkHealthy(result.Node);
        foreach (var other in View.RunnersOf(result.Key).ToList())
            Drop(other, result.Key);
    }

    private protected string NameOf(NodeId node) => Health.Of(node) is { } report ? $"{report.Address} ({node})" : node.Value;

    private RunOutput[] Take()
    {
        RunOutput[] outputs = [.. _outputs];
        _outputs.Clear();
        return outputs;
    }

    private void Enlist(NodeReport.Enlist report)
    {
        if (!Health.Knows(report))
            Forget(report.Node);
        Health.Note(report);
        Enter(report);
        if (report.Leaving)
            Send(report.Node, new NodeCommand.Release(Job, report.Drains));            // what it holds of the job, others need not have
        var has = report.Pieces().Where(w => w.Job == Job.Job).Select(w => new InFlightWork(w.Key, report.Node)).ToHashSet();
        foreach (var (work, _) in View.InFlight
            .Where(w => w.Key.Node == report.Node && !has.Contains(w.Key) && !Failures.IsResting(w.Key)
                && Now - w.Value > ClusterView.InTransit)
            .ToList())
            View = View.Answered(work.Work, work.Node);
        // Before the first request nobody knows what is wanted: another supervisor may have ordered it.
        if (!IsAsked)
            return;
        foreach (var work in has)
            if (!IsWanted(work.Work))
                Drop(work.Node, work.Work);
            else if (!View.InFlight.ContainsKey(work))
                View = View.Give(work.Work, work.Node, Now);
    }

    private void Enter(NodeReport.Enlist report) => View = View.Enlist(
        report.Node, PlacesOf(report), report.Seed, report.Leaving || Health.IsUnhealthy(report.Node));

    private void Unopened(NodeReport.RunUnopened report)
    {
        // No OpenRun has reached it, or it could not open the job. Answers that come while it is being told again say nothing new.
        if (report.Why is null && _opened.TryGetValue(report.Node, out var at) && Now - at < BetweenOpenings)
            return;
        _opened.Remove(report.Node);
        if (report.Why is { } why)
            Rest(report.Node, why);
    }

    private void Receive(WorkResult result, Random chance)
    {
        if (Health.Of(result.Node) is null)
        {
            Dismiss(result, $"the {result.Key}", "the node is not enlisted: it says it again when it is");
            return;
        }

        Drop(result.Node, result.Key);                                  // acknowledges it
        if (result.Outcome is not WorkFailed failed)
            Receive(result);
        else if (IsWanted(result.Key))
            Fail(new InFlightWork(result.Key, result.Node), failed, chance);
    }

    private void Fail(InFlightWork work, WorkFailed failed, Random chance)
    {
        Problem = failed.Why;
        Failures.Note(work, failed, Now, chance.NextDouble());
        var others = View.Workers.Any(n => n != work.Node);
        if (IsHopeless(work.Work, failed, others))
            GiveUp(work.Work, failed.Why);
        else if (failed.Kind is WorkFailure.Permanent or WorkFailure.Exhausted || (others && Failures.IsStubborn(work)))
            Rest(work.Node, failed.Why);
        else
            View = View.Give(work.Work, work.Node, Now);                // it stays in flight while it rests
    }

    private void GiveOut()
    {
        if (!IsAsked || IsOver)
            return;
        Prepare();
        foreach (var node in View.Workers.Where(n => !_opened.ContainsKey(n)).ToList())
            Open(node);
        foreach (var key in Wanted.Where(k => !View.IsInFlight(k)).ToList())
        {
            if (Ready(key).FirstOrDefault() is not { Value: not null } node)
                return;
            Give(key, node);
        }
        foreach (var idle in View.Workers.Where(n => LoadOf(n) == 0).ToList())
        {
            var late = View.InFlight.Where(w => Now - w.Value > SecondNode && IsWanted(w.Key.Work)
                && View.RunnersOf(w.Key.Work).Count() == 1 && !Failures.IsResting(w.Key)).OrderBy(w => w.Value).ToList();
            if (late.Count > 0)
                Give(late[0].Key.Work, idle);
        }
    }

    // Nodes that have room, those first that have failed least at this piece, and then those with the least to do for what they are.
    private IEnumerable<NodeId> Ready(WorkKey key) => View.Workers
        .Where(n => LoadOf(n) < PiecesAtOnce(View.Nodes[n].Devices) + PiecesAhead)
        .OrderBy(n => Failures.CountAt(key, n)).ThenBy(n => LoadOf(n) / (double)PiecesAtOnce(View.Nodes[n].Devices))
        .ThenBy(n => n.Value, StringComparer.Ordinal);

    private int LoadOf(NodeId node) => View.InFlight.Keys.Count(w => w.Node == node);

    private void Give(WorkKey key, NodeId node)
    {
        View = View.Give(key, node, Now);
        Send(node, OrderFor(key, node, new OrderId(_term, ++_orders)));
    }

    private void Open(NodeId node)
    {
        _opened[node] = Now;
        foreach (var opening in Openings(new OrderId(_term, ++_orders)))
            Send(node, opening);
    }

    private void Drop(NodeId node, WorkKey work)
    {
        View = View.Answered(work, node);
        Send(node, new NodeCommand.DropWork(Job, [work]));
    }

    private void Send(NodeId node, IWireMessage message) => _outputs.Add(new RunOutput.Send(node, message));
}
