using System.Collections.Immutable;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// A replica that several nodes compute together, a stage each, is lost with any of them: the others' work of that attempt is taken away,
// and the replica is given out anew, from its last hand-over. The first stage's node answers for all.
public sealed partial class RunCoordinator
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
    private readonly Dictionary<InFlightWork, OrderId> _attemptOrders = [];            // of replicas in flight, and of each of their stages
    private readonly Dictionary<OrderId, ImmutableArray<NodeId>> _teamOf = [];         // of this round, by the order of the first stage
    private readonly Dictionary<InFlightWork, TimeSpan> _queued = [];   // when a node last said so
    private readonly Dictionary<string, TimeSpan> _givesWay = [];       // attempts some stages of which wait, and until when they may

    private int Stages => Plan?.Stages ?? 1;

    private string DrawAttempt()
    {
        Span<byte> drawn = stackalloc byte[Identifier.DrawnBytes];
        _context.Chance.NextBytes(drawn);
        return Identifier.Drawn(drawn);
    }

    // All work of the attempt that this is of; itself alone where one node computes a replica.
    private List<InFlightWork> AttemptOf(InFlightWork work) => View.Attempts.TryGetValue(work, out var attempt)
        ? [.. View.Attempts.Where(a => a.Value == attempt).Select(a => a.Key)] : [work];

    // Takes work out of the view, and what it leaves incomplete away from the other nodes.
    private void Without(Func<ClusterView, ClusterView> change)
    {
        var before = View.Attempts;
        View = change(View);
        if (ReferenceEquals(before, View.Attempts))
            return;
        foreach (var attempt in before.Where(a => !View.Attempts.ContainsKey(a.Key)).Select(a => a.Value).Distinct().ToList())
            End(attempt);
    }

    private void End(string attempt)
    {
        foreach (var over in View.Attempts.Where(a => a.Value == attempt).Select(a => a.Key).GroupBy(w => w.Node).ToList())
            _context.TakeAway(over.Key, [.. over.Select(w => w.Work)]);
        _incomplete.Remove(attempt);
    }

    // The work that failed stays in the view, to rest there.
    private void EndAttemptOf(InFlightWork failed)
    {
        if (!View.Attempts.TryGetValue(failed, out var attempt))
            return;
        End(attempt);
        View = View.Give(failed.Work, failed.Node, _context.Now);
    }

    private void NoteAttempt(InFlightWork work, OrderId order, WorkContent content)
    {
        if (ComputeWork.Of(content) is null)
            return;
        _attemptOrders[work] = order;
        if (View.Attempts.ContainsKey(work) && content is Compute { Stages: var stages })
            _teamOf[order] = [.. stages.Select(s => s.Node)];
    }

    /// <summary>
    /// Whether a result is of an attempt that is over. The supervisor and the nodes of the other stages notice at about the same time that
    /// a node is lost. What these say of it may come when the next attempt is ordered already; it names the order of the one before. So
    /// does what a node handed over and repeated, because nothing had acknowledged it yet.
    /// </summary>
    /// <param name="now">When the result comes; null for the time of the input under way.</param>
    /// <remarks>
    /// A node that computes a replica alone keeps to an older order of it that it still has, and answers that one: what it repeats after
    /// the newer order must have come is its answer to both. Work that failed rests before it is given out anew.
    /// </remarks>
    public bool IsOfEarlierAttempt(WorkResult result, TimeSpan? now = null) => new InFlightWork(result.Key, result.Node) is var work
        && View.InFlight.TryGetValue(work, out var given)
        && (View.Attempts.ContainsKey(work) || (result.Outcome is HandedOver && (now ?? _context.Now) - given <= InTransit))
        && _attemptOrders.TryGetValue(work, out var newest) && newest.IsAfter(result.Order);

    // Nothing is wrong where it was noticed: it counts against the node of the stage that is lost.
    private void TakeBack(WorkResult result, StageLost lost)
    {
        _context.Send(result.Node, new NodeCommand.DropWork(_context.Id, [result.Key]));
        var noticed = new InFlightWork(result.Key, result.Node);
        if (!View.Attempts.TryGetValue(noticed, out var attempt))
            return;                                                    // it is over already
        if (_context.IsStopping)
        {
            End(attempt);                                              // as when a node is lost that computes alone: no step is handed over
            return;
        }

        var blamed = AttemptOf(noticed).Where(w => ComputeStageWork.StageOf(w.Work) == lost.Stage).DefaultIfEmpty(noticed).First();
        TakeBack(blamed, new WorkFailed(lost.Why, WorkFailure.Transient));
    }

    // Who computed a replica takes the same stages next time, and no part in its audit. A result may be of an attempt before the present
    // one; of those that an earlier supervisor ordered only the present one is known.
    private void NoteTeam(WorkResult result)
    {
        if (result.Outcome is not Computed || ComputeWork.ReplicaOf(result.Key) is not { } replica)
            return;
        var first = new InFlightWork(result.Key, result.Node);
        var stages = View.Attempts.ContainsKey(first) && !IsOfEarlierAttempt(result)
            ? AttemptOf(first).OrderBy(w => ComputeStageWork.StageOf(w.Work)).ToList() : [];
        // The order's id is what the node says: of another node's order it says nothing.
        var team = _teamOf.TryGetValue(result.Order, out var ordered) && ordered[0] == result.Node
            ? ordered : [.. stages.Select(w => w.Node)];
        if (!team.IsEmpty)
            View = View with { Teams = View.Teams.SetItem((replica, first.Node), team) };
        foreach (var stage in stages)
            _context.Failures.Succeeded(stage);
    }

    // Which of several nodes was wrong, their bytes do not say: people may have them look.
    private string Suspects(int replica) => Run.QuorumOf(replica).Votes.All(v => v.Others == 0) ? ""
        : "; nodes computed it together, a stage each, and one of all these may be faulty: "
            + _context.Names(Run.QuorumOf(replica).Votes
                .SelectMany(v => View.Teams.GetValueOrDefault((replica, v.Node), [v.Node])).Distinct());

    // Attempts that lack a stage, because a node does not know of it, or have one too many, because a person has changed run.stages.
    private void EndIncompleteAttempts()
    {
        foreach (var over in _incomplete.Keys.Where(a => !View.Attempts.ContainsValue(a)).ToList())
            _incomplete.Remove(over);
        foreach (var over in _attemptOrders.Keys.Where(w => !View.InFlight.ContainsKey(w)).ToList())
            _attemptOrders.Remove(over);
        foreach (var attempt in View.Attempts.GroupBy(a => a.Value, a => a.Key).ToList())
        {
            if (attempt.Select(w => ComputeStageWork.StageOf(w.Work)).Order().SequenceEqual(Enumerable.Range(0, Stages)))
                _incomplete.Remove(attempt.Key);
            else if (!_incomplete.TryGetValue(attempt.Key, out var since))
                _incomplete[attempt.Key] = _context.Now;
            else if (_context.Now - since >= UntilComplete)
                End(attempt.Key);
        }
    }

    private void NoteQueued(InFlightWork work)
    {
        if (View.Attempts.ContainsKey(work))
            _queued[work] = _context.Now;
    }

    // A stage belongs to an attempt. What a node reports is checked, because others see it.
    private static bool IsAttempt(HeldWork work) => work.Attempt is { } attempt
        ? Identifier.IsValid(attempt, LongestAttempt) : work.Key.Kind != ComputeStageWork.Kind.Name;

    // Of an attempt some stages of which wait behind another run, the others hold devices for nothing, perhaps those that the other run
    // waits for. Where all of them wait, they wait for their turn.
    private void EndQueuedAttempts()
    {
        foreach (var over in _queued.Keys.Where(w => !View.Attempts.ContainsKey(w) || _context.Now - _queued[w] > StillQueued).ToList())
            _queued.Remove(over);
        var waiting = _queued.Keys.GroupBy(w => View.Attempts[w])
            .Where(a => AttemptOf(a.First()).Count > a.Count()).ToDictionary(a => a.Key, a => a.First());
        foreach (var over in _givesWay.Keys.Where(a => !waiting.ContainsKey(a)).ToList())
            _givesWay.Remove(over);
        foreach (var (attempt, work) in waiting)
        {
            if (_givesWay.TryAdd(attempt, _context.Now + WithQueued * (1 + _context.Chance.NextDouble()))
                || _context.Now < _givesWay[attempt])
                continue;
            EndAttemptOf(work);
            _context.Failures.Note(
                work, new WorkFailed("its devices compute for another run", WorkFailure.Exhausted), _context.Now,
                _context.Chance.NextDouble());
            _context.Warn(
                $"{_context.Names(work.Node)} computes for another run, and nodes with other stages waited for it: the replica "
                + "is given out anew");
        }
    }
}
