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
    private double _countedSeconds, _spentSeconds;

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
                var goodput = new Goodput(run, committed.Round, _countedSeconds, _spentSeconds);
                (_countedSeconds, _spentSeconds) = (0, 0);
                _computed.Clear();
                _lost.Clear();
                return goodput;
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
                _countedSeconds += seconds;
        }

        _counted.Clear();
        _handedOver.Clear();
        _before = inFlight;
    }

    /// <summary>Notes that a replica's work was lost or failed.</summary>
    public void Lost(int replica, TimeSpan now) => _lost.TryAdd(replica, now);

    /// <summary>Notes a step.</summary>
    /// <returns>What has recovered with it; null where nothing was lost.</returns>
    public WorkRecovered? Step(NodeId node, int round, int replica, TimeSpan now) => _lost.Remove(replica, out var since)
        ? new WorkRecovered(run, node, round, replica, (now - since).TotalSeconds)
        : null;
}
