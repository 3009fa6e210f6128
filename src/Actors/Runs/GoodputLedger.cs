using System.Collections.Immutable;
using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>
/// Keeps the time that nodes spend on the inner steps of a run: what counted, what did not, and how long lost work lay about.
/// </summary>
internal sealed class GoodputLedger(RunId run)
{
    private readonly HashSet<int> _computed = [];                      // replicas of this round that have a result
    private readonly HashSet<InFlightWork> _counted = [];              // whose results were stored since the last look
    private readonly HashSet<int> _handedOver = [];                    // replicas whose hand-overs were
    private readonly Dictionary<int, TimeSpan> _lost = [];             // replicas whose work lies about, and since when
    private ImmutableDictionary<InFlightWork, TimeSpan> _before = ImmutableDictionary<InFlightWork, TimeSpan>.Empty;
    private readonly Dictionary<int, double> _countedSeconds = [];     // by replica
    private double _spentSeconds;

    /// <summary>Notes a stored event; a committed round's goodput is its answer.</summary>
    public Goodput? Stored(RunEvent e)
    {
        switch (e)
        {
            case RunEvent.ReplicaComputed { Result: var result } computed when _computed.Add(result.Replica):
                _counted.Add(new InFlightWork(ComputeWork.KeyOf(result.Round, result.Replica), computed.Node));
                break;
            case RunEvent.ReplicaHandedOver { HandOver: var handOver }:
                _handedOver.Add(handOver.Replica);
                break;
            case RunEvent.RoundCommitted committed:
                var goodput = new Goodput(run, committed.Round, _countedSeconds.Values.Sum(), _spentSeconds);
                _spentSeconds = 0;
                _countedSeconds.Clear();
                _computed.Clear();
                _lost.Clear();
                return goodput;
            // What was spent on what counts no more stays spent.
            case RunEvent.WorkLost lost:
                Forget(lost.Replicas);
                break;
            case RunEvent.RolledBack:
                Forget([.. _computed, .. _handedOver, .. _countedSeconds.Keys]);
                break;
        }

        return null;
    }

    /// <summary>Compares the work in flight with that of the last look: what is in flight no more took its time.</summary>
    public void Look(ImmutableDictionary<InFlightWork, TimeSpan> inFlight, TimeSpan now)
    {
        if (ReferenceEquals(inFlight, _before))
            return;
        foreach (var (work, since) in _before.Where(w => w.Key.Work.Kind == ComputeWork.Kind.Name && !inFlight.ContainsKey(w.Key)))
        {
            var seconds = (now - since).TotalSeconds;
            _spentSeconds += seconds;
            if (_counted.Contains(work) || _handedOver.Remove(work.Work.Index))
                _countedSeconds[work.Work.Index] = _countedSeconds.GetValueOrDefault(work.Work.Index) + seconds;
        }

        _counted.Clear();
        _handedOver.Clear();
        _before = inFlight;
    }

    // What was computed of these replicas in this round counts no more.
    private void Forget(IReadOnlyCollection<int> replicas)
    {
        foreach (var replica in replicas)
            _countedSeconds.Remove(replica);
        _computed.ExceptWith(replicas);
        _handedOver.ExceptWith(replicas);
        _counted.RemoveWhere(w => replicas.Contains(w.Work.Index));
    }

    /// <summary>Notes that a replica's work was lost or failed.</summary>
    public void Lost(int replica, TimeSpan now) => _lost.TryAdd(replica, now);

    /// <summary>Notes a step.</summary>
    /// <returns>What has recovered with it; null where nothing was lost.</returns>
    public WorkRecovered? Step(NodeId node, int round, int replica, TimeSpan now) => _lost.Remove(replica, out var since)
        ? new WorkRecovered(run, node, round, replica, (now - since).TotalSeconds)
        : null;
}
