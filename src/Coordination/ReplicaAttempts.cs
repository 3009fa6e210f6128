using System.Collections.Immutable;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Tells apart the times that a replica is given out, and decides which of them are over. A replica that several nodes compute together, a
/// stage each, is lost with any of them: the others' work of that attempt is taken away, and the replica is given out anew, from its last
/// hand-over. The first stage's node answers for all.
/// </summary>
internal sealed class ReplicaAttempts(RunCoordinatorContext context)
{
    // After a failover the nodes of an attempt report within a second or two of each other; one that ends in order ends as soon before the
    // first stage's answer is here.
    private static readonly TimeSpan UntilComplete = TimeSpan.FromSeconds(3);

    // Another run's replicas on two nodes end their rounds at about the same time. Two runs that each have a node the other one waits for
    // do not give up at the same moment: up to as much again is drawn.
    private static readonly TimeSpan WithQueued = TimeSpan.FromSeconds(10);

    // A node repeats every second that work is queued.
    private static readonly TimeSpan StillQueued = TimeSpan.FromSeconds(3);

    private const int LongestAttempt = 32;

    private readonly Dictionary<string, TimeSpan> _incomplete = [];
    // Of replicas in flight, and of each of their stages: the order, and the hand-over that it goes on from, as far as this term knows.
    private readonly Dictionary<InFlightWork, (OrderId Id, Digest? HandOver)> _orders = [];
    private readonly Dictionary<OrderId, ImmutableArray<NodeId>> _teamOf = [];         // of this round, by the order of the first stage
    private readonly Dictionary<InFlightWork, TimeSpan> _queued = [];   // when a node last said so
    private readonly Dictionary<string, TimeSpan> _givesWay = [];       // attempts some stages of which wait, and until when they may

    /// <summary>Nodes that compute a replica together now.</summary>
    public int Stages => context.Plan?.Stages ?? 1;

    /// <summary>Draws the name of an attempt.</summary>
    public string Draw()
    {
        Span<byte> drawn = stackalloc byte[Identifier.DrawnBytes];
        context.Chance.NextBytes(drawn);
        return Identifier.Drawn(drawn);
    }

    /// <summary>All work of the attempt that this is of; itself alone where one node computes a replica.</summary>
    public List<InFlightWork> Of(InFlightWork work) => context.View.Attempts.TryGetValue(work, out var attempt)
        ? [.. context.View.Attempts.Where(a => a.Value == attempt).Select(a => a.Key)] : [work];

    /// <summary>Takes work out of the view, and what it leaves incomplete away from the other nodes.</summary>
    public void Without(Func<ClusterView, ClusterView> change)
    {
        var before = context.View.Attempts;
        context.View = change(context.View);
        if (ReferenceEquals(before, context.View.Attempts))
            return;
        foreach (var attempt in before.Where(a => !context.View.Attempts.ContainsKey(a.Key)).Select(a => a.Value).Distinct()
            .Order(StringComparer.Ordinal).ToList())
            End(attempt);
    }

    /// <summary>Ends the attempt that work is of, which failed: the work stays in the view, to rest there.</summary>
    public void EndOf(InFlightWork failed)
    {
        if (!context.View.Attempts.TryGetValue(failed, out var attempt))
            return;
        End(attempt);
        context.View = context.View.Give(failed.Work, failed.Node, context.Now);
    }

    /// <summary>Notes the order of a replica, or of a stage of one, that is given to a node.</summary>
    public void NoteGiven(InFlightWork work, OrderId order, WorkContent content)
    {
        if (ComputeWork.Of(content) is not { } replica)
            return;
        _orders[work] = (order, replica.HandOver?.State);
        if (context.View.Attempts.ContainsKey(work) && content is Compute { Stages: var stages })
            _teamOf[order] = [.. stages.Select(s => s.Node)];
    }

    /// <summary>Notes the order that a node says to have, of work that an earlier supervisor has ordered.</summary>
    public void NoteHeld(InFlightWork work, OrderId order) => _orders[work] = (order, null);

    /// <summary>
    /// False for a stage without an attempt, for other work with one, and where what the node says, which others see, is no name of one.
    /// </summary>
    public static bool IsValid(HeldWork work) => work.Attempt is { } attempt
        ? Identifier.IsValid(attempt, LongestAttempt) && ComputeWork.ReplicaOf(work.Key) is not null
        : work.Key.Kind != ComputeStageWork.Kind.Name;

    /// <inheritdoc cref="RunCoordinator.IsOfEarlierAttempt"/>
    public bool IsOfEarlier(WorkResult result, TimeSpan now) => new InFlightWork(result.Key, result.Node) is var work
        && context.View.InFlight.TryGetValue(work, out var given)
        && (context.View.Attempts.ContainsKey(work) || (result.Outcome is HandedOver && now - given <= ClusterView.InTransit))
        && _orders.TryGetValue(work, out var newest) && newest.Id.IsAfter(result.Order);

    /// <summary>
    /// The work of the stage that another one has noticed to be lost; null where the attempt is over. While the run stops, nobody is to
    /// blame: the attempt ends as when a node is lost that computes alone, and no step is handed over.
    /// </summary>
    public InFlightWork? Blamed(InFlightWork noticed, StageLost lost)
    {
        if (!context.View.Attempts.TryGetValue(noticed, out var attempt))
            return null;
        if (!context.IsStopping)
            return Of(noticed).Where(w => ComputeStageWork.StageOf(w.Work) == lost.Stage).DefaultIfEmpty(noticed).First();
        End(attempt);
        return null;
    }

    /// <summary>
    /// Notes who computed a replica: they take the same stages next time, and no part in its audit. A result may be of an attempt before
    /// the present one; of those that an earlier supervisor ordered only the present one is known.
    /// </summary>
    public void NoteTeam(WorkResult result)
    {
        if (result.Outcome is not Computed || ComputeWork.ReplicaOf(result.Key) is not { } replica)
            return;
        var first = new InFlightWork(result.Key, result.Node);
        var stages = context.View.Attempts.ContainsKey(first) && !IsOfEarlier(result, context.Now)
            ? Of(first).OrderBy(w => ComputeStageWork.StageOf(w.Work)).ToList() : [];
        // The order's id is what the node says: of another node's order it says nothing.
        var team = _teamOf.TryGetValue(result.Order, out var ordered) && ordered[0] == result.Node
            ? ordered : [.. stages.Select(w => w.Node)];
        if (!team.IsEmpty)
            context.View = context.View with { Teams = context.View.Teams.SetItem((replica, first.Node), team) };
        foreach (var stage in stages)
            context.Failures.Succeeded(stage);
    }

    /// <summary>Forgets who computed what: a round begins.</summary>
    public void ForgetTeams() => _teamOf.Clear();

    /// <summary>
    /// Ends attempts that lack a stage, because a node does not know of it, or have one too many, because a person has changed
    /// <c>run.stages</c>.
    /// </summary>
    public void EndIncomplete()
    {
        foreach (var over in _incomplete.Keys.Where(a => !context.View.Attempts.ContainsValue(a)).ToList())
            _incomplete.Remove(over);
        foreach (var over in _orders.Keys.Where(w => !context.View.InFlight.ContainsKey(w)).ToList())
            _orders.Remove(over);
        foreach (var attempt in context.View.Attempts.GroupBy(a => a.Value, a => a.Key)
            .OrderBy(a => a.Key, StringComparer.Ordinal).ToList())
        {
            if (attempt.Select(w => ComputeStageWork.StageOf(w.Work)).Order().SequenceEqual(Enumerable.Range(0, Stages)))
                _incomplete.Remove(attempt.Key);
            else if (!_incomplete.TryGetValue(attempt.Key, out var since))
                _incomplete[attempt.Key] = context.Now;
            else if (context.Now - since >= UntilComplete)
                End(attempt.Key);
        }
    }

    /// <summary>Takes computations away that went on from a hand-over which does not count any more: nor would what they come to.</summary>
    public void EndDoubtful() => context.TakeAway(_orders
        .Where(o => context.View.InFlight.ContainsKey(o.Key)
            && ComputeWork.ReplicaOf(o.Key.Work) is { } replica && context.Run.WhyNotFrom(replica, o.Value.HandOver) is not null)
        .Select(o => o.Key).ToList());

    /// <summary>Notes that a node has said that work waits there behind another run's.</summary>
    public void NoteQueued(InFlightWork work)
    {
        if (context.View.Attempts.ContainsKey(work))
            _queued[work] = context.Now;
    }

    /// <summary>
    /// Ends attempts some stages of which wait behind another run: the others hold devices for nothing, perhaps those that the other run
    /// waits for. Where all of them wait, they wait for their turn.
    /// </summary>
    public void EndQueued()
    {
        foreach (var over in _queued.Keys
            .Where(w => !context.View.Attempts.ContainsKey(w) || context.Now - _queued[w] > StillQueued).ToList())
            _queued.Remove(over);
        var waiting = _queued.Keys.GroupBy(w => context.View.Attempts[w])
            .Where(a => Of(a.First()).Count > a.Count()).ToDictionary(a => a.Key, a => a.First());
        foreach (var over in _givesWay.Keys.Where(a => !waiting.ContainsKey(a)).ToList())
            _givesWay.Remove(over);
        foreach (var (attempt, work) in waiting)
        {
            if (_givesWay.TryAdd(attempt, context.Now + WithQueued * (1 + context.Chance.NextDouble())) || context.Now < _givesWay[attempt])
                continue;
            EndOf(work);
            context.Failures.Note(
                work, new WorkFailed("its devices compute for another run", WorkFailure.Exhausted), context.Now,
                context.Chance.NextDouble());
            context.Warn(
                $"{context.Names(work.Node)} computes for another run, and nodes with other stages waited for it: the replica is given out "
                + "anew");
        }
    }

    private void End(string attempt)
    {
        context.TakeAway(context.View.Attempts.Where(a => a.Value == attempt).Select(a => a.Key));
        _incomplete.Remove(attempt);
    }
}
