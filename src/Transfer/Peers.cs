using System.Diagnostics.Metrics;
using Elastic.Foundation;

namespace Elastic.Transfer;

/// <summary>
/// The peers that may have blobs, how they behave, and how many transfers run at once. Thread-safe; the node replaces the list when orders
/// name other peers.
/// </summary>
public sealed class Peers
{
    // Sets are fetched in bursts, of which the largest is an averaging: of the contributions of up to 400 replicas. What was learnt about
    // older sets is of little use.
    private const int SetsRemembered = 512;

    private static readonly Counter<double> Received = Telemetry.Meter.CreateCounter<double>(
        "elastic_received_bytes_total", description: "Blobs and shards received from other nodes.");

    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<Endpoint, Peer> _known = [];     // also peers that left, while they are put away or in use
    private readonly Dictionary<Digest, SetKnowledge> _sets = [];
    private List<Peer> _listed = [];
    private int _running;
    private long _received;
    private TaskCompletionSource _freed = New(), _replaced = New();

    public Peers(TransferLimits? limits = null, TimeProvider? time = null) =>
        (Limits, _time) = (limits ?? new TransferLimits(), time ?? TimeProvider.System);

    public TransferLimits Limits { get; }

    /// <summary>Bytes that all downloads of this process have received.</summary>
    public long ReceivedBytes => Interlocked.Read(ref _received);

    /// <summary>Counts bytes that were received.</summary>
    public void Count(int bytes)
    {
        Interlocked.Add(ref _received, bytes);
        Received.Add(bytes);
    }

    /// <summary>The current list.</summary>
    public IReadOnlyList<Endpoint> Endpoints
    {
        get
        {
            lock (_gate)
                return [.. _listed.Select(d => d.Endpoint)];
        }
    }

    /// <summary>Replaces the list. Keeps what is known of the peers that stay, and of those that were put away.</summary>
    public void Set(IReadOnlyList<Endpoint> endpoints)
    {
        TaskCompletionSource replaced, freed;
        List<CancellationTokenSource> left;
        lock (_gate)
        {
            var now = Now;
            var listed = endpoints.Distinct()
                .Select(endpoint => _known.TryGetValue(endpoint, out var peer) ? peer : new Peer(endpoint)).ToList();
            if (listed.Count == _listed.Count && listed.All(_listed.Contains))
                return;
            left = [.. _listed.Except(listed).Select(d => d.Left)];
            foreach (var peer in listed.Except(_listed))
            {
                _known[peer.Endpoint] = peer;
                peer.Left = new CancellationTokenSource();     // The peer may have left before and come back.
            }

            _listed = listed;
            foreach (var gone in _known.Values.Except(listed).Where(d => d.Running == 0 && d.AwayUntil <= now).ToList())
                _known.Remove(gone.Endpoint);
            (replaced, _replaced) = (_replaced, New());
            (freed, _freed) = (_freed, New());
        }

        replaced.SetResult();
        freed.SetResult();
        left.ForEach(peer => peer.Cancel());
    }

    /// <summary>Waits until a peer that is not among <paramref name="asked"/> has room, and takes it; null when all were asked.</summary>
    /// <param name="set">The set that the blob belongs to: peers that had another blob of it are asked first.</param>
    public async Task<PeerLease?> TakeAsync(Digest? set, IReadOnlyCollection<Endpoint> asked, CancellationToken cancel)
    {
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            Task freed;
            lock (_gate)
            {
                var choice = Choose(set, asked, out var none);
                if (none)
                    return null;
                if (choice is not null)
                {
                    choice.Running++;
                    _running++;
                    return new PeerLease(this, choice, set);
                }

                freed = _freed.Task;
            }

            await freed.WaitAsync(cancel);
        }
    }

    /// <summary>Returns after <paramref name="atMost"/>, or when the list is replaced.</summary>
    public async Task WaitForNewsAsync(TimeSpan atMost, CancellationToken cancel)
    {
        Task replaced;
        lock (_gate)
            replaced = _replaced.Task;
        try
        {
            await replaced.WaitAsync(atMost, _time, cancel);
        }
        catch (TimeoutException)
        {
            // The list was not replaced.
        }
    }

    /// <summary>Endpoints that are listed but not asked, because they recently sent wrong bytes.</summary>
    public IReadOnlyList<Endpoint> Distrusted
    {
        get
        {
            lock (_gate)
            {
                var now = Now;
                return [.. _listed.Where(d => d.Lied && d.AwayUntil > now).Select(d => d.Endpoint)];
            }
        }
    }

    // Takes a peer from the first of these groups that is not empty, and waits when all peers of that group are busy:
    // peers in good standing (first those that had blobs of the set, then the least busy), peers that just lacked a blob of the set,
    // peers that failed. Asking a peer that lacks the blob costs a round trip, asking one that failed perhaps seconds.
    private Peer? Choose(Digest? set, IReadOnlyCollection<Endpoint> asked, out bool none)
    {
        var now = Now;
        var known = set is { } s ? _sets.GetValueOrDefault(s) : null;
        var best = (Group: int.MaxValue, Order: double.MaxValue, Peer: (Peer?)null);
        foreach (var peer in _listed)
        {
            var away = peer.AwayUntil > now;
            if (asked.Contains(peer.Endpoint) || (away && peer.Lied))
                continue;
            var learnt = known?.Peers.GetValueOrDefault(peer.Endpoint) ?? default;
            var group = away ? 2 : learnt.LacksUntil > now ? 1 : 0;
            // After a failure, one transfer tests the peer for all others.
            var full = peer.Running >= (peer.Failures > 0 ? 1 : Limits.PerPeer);
            // Chance decides between equals, so that nodes that start together do not all begin with the same peer.
            var order = full ? double.MaxValue : (learnt.Had ? 0 : Limits.PerPeer + 1) + peer.Running + Random.Shared.NextDouble();
            if (group < best.Group || (group == best.Group && order < best.Order))
                best = (group, order, full ? null : peer);
        }

        none = best.Group == int.MaxValue;
        return _running < Limits.Total ? best.Peer : null;
    }

    internal void Release(Peer peer)
    {
        TaskCompletionSource freed;
        lock (_gate)
        {
            peer.Running--;
            _running--;
            (freed, _freed) = (_freed, New());
        }

        freed.SetResult();
    }

    /// <summary>The peer sends a blob of the set.</summary>
    internal void Had(Peer peer, Digest? set)
    {
        lock (_gate)
            Learn(peer, set, new Learnt(true, 0));
    }

    /// <summary>The peer sent all that it was asked for: its failures no longer count.</summary>
    internal void Served(Peer peer)
    {
        lock (_gate)
        {
            peer.Failures = 0;
            if (!peer.Lied)
                peer.AwayUntil = 0;
        }
    }

    /// <summary>The peer answered 404.</summary>
    internal void Lacked(Peer peer, Digest? set)
    {
        lock (_gate)
            Learn(peer, set, new Learnt(false, Now + Ticks(Limits.Lacking)));
    }

    /// <summary>The peer could not be reached, broke off or stalled: it is put away, twice as long each time.</summary>
    internal void Failed(Peer peer)
    {
        lock (_gate)
        {
            var now = Now;
            // Several transfers that break together count as one failure.
            if (peer.AwayUntil > now)
                return;
            peer.AwayUntil = now + Ticks(Limits.PutAway.After(peer.Failures++));
            peer.Lied = false;
        }
    }

    /// <summary>The peer's bytes do not match the digest.</summary>
    internal void Lied(Peer peer)
    {
        lock (_gate)
        {
            peer.Lied = true;
            peer.AwayUntil = Now + Ticks(Limits.Distrust);
        }
    }

    private void Learn(Peer peer, Digest? set, Learnt learnt)
    {
        if (set is not { } name)
            return;
        if (!_sets.TryGetValue(name, out var knowledge))
        {
            if (_sets.Count == SetsRemembered)
                _sets.Remove(_sets.MinBy(s => s.Value.Used).Key);
            _sets.Add(name, knowledge = new SetKnowledge());
        }

        knowledge.Used = Now;
        knowledge.Peers[peer.Endpoint] = learnt;
    }

    private long Now => _time.GetTimestamp();

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * _time.TimestampFrequency);

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One peer; the lock of <see cref="Peers"/> guards its fields.</summary>
    public sealed class Peer(Endpoint endpoint)
    {
        public Endpoint Endpoint { get; } = endpoint;

        public int Running { get; set; }

        public int Failures { get; set; }

        // Timestamps of the time provider.
        public long AwayUntil { get; set; }

        public bool Lied { get; set; }

        // Not disposed of: it has no timer, and transfers may still use it.
        public CancellationTokenSource Left { get; set; } = new();
    }

    private readonly record struct Learnt(bool Had, long LacksUntil);

    private sealed class SetKnowledge
    {
        public long Used { get; set; }

        public Dictionary<Endpoint, Learnt> Peers { get; } = [];
    }
}

/// <summary>The right to one transfer from one peer, until it is disposed; reports the transfer's outcome.</summary>
public sealed class PeerLease(Peers peers, Peers.Peer peer, Digest? set) : IDisposable
{
    public Endpoint Endpoint => peer.Endpoint;

    /// <summary>Cancelled when the peer is no longer listed. The peer may still send.</summary>
    public CancellationToken Left { get; } = peer.Left.Token;

    public void Served() => peers.Served(peer);

    public void Had() => peers.Had(peer, set);

    public void Lacked() => peers.Lacked(peer, set);

    public void Failed() => peers.Failed(peer);

    public void Lied() => peers.Lied(peer);

    public void Dispose() => peers.Release(peer);
}
