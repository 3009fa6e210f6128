using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Transfer;

/// <summary>
/// Asks one peer after the other for a blob, and all of them again after a pause, until patience ends. Remembers each peer's last answer.
/// </summary>
/// <param name="set">The set that the blob belongs to, if any.</param>
public sealed class PeerSelection(Peers peers, Digest digest, Digest? set)
{
    private static readonly Backoff Pause = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));

    // People read the message.
    private const int MostNamed = 16;

    private readonly HashSet<Endpoint> _asked = [];       // since the last pause
    private readonly Dictionary<Endpoint, string> _said = [];
    private long? _emptyHandedSince;
    private int _pauses;

    /// <summary>The next peer, to be disposed of. The same peer comes again only after a pause, or after <see cref="LetOff"/>.</summary>
    /// <exception cref="BlobLostException">Patience is over; the message names the peers and the last answer of each.</exception>
    public async Task<PeerLease> NextAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (await peers.TakeAsync(set, _asked, cancel) is { } peer)
            {
                _asked.Add(peer.Endpoint);
                return peer;
            }

            _emptyHandedSince ??= Stopwatch.GetTimestamp();
            if (Stopwatch.GetElapsedTime(_emptyHandedSince.Value) >= peers.Limits.Patience)
                throw new BlobLostException(digest, Summary());
            await peers.WaitForNewsAsync(Pause.After(_pauses++), cancel);
            _asked.Clear();
        }
    }

    /// <summary>Notes a peer's answer for the message of a failure.</summary>
    public void Note(PeerLease peer, string said) => _said[peer.Endpoint] = said;

    /// <summary>Allows asking the peer again at once.</summary>
    public void LetOff(PeerLease peer) => _asked.Remove(peer.Endpoint);

    /// <summary>Called when bytes were received: patience begins anew.</summary>
    public void Progress(int bytes)
    {
        (_emptyHandedSince, _pauses) = (null, 0);
        peers.Count(bytes);
    }

    /// <summary>Why no peer gave the blob: the peers that were asked, and the last answer of each.</summary>
    public string Summary()
    {
        var now = peers.Endpoints;
        foreach (var endpoint in peers.Distrusted)
            _said.TryAdd(endpoint, "not asked, because it sent wrong bytes not long ago");
        if (_said.Count == 0)
            return "cannot be fetched: no peer is known";
        var said = _said.Select(s => $"{s.Key}{(now.Contains(s.Key) ? "" : " (has left)")}: {s.Value}")
            .Order(StringComparer.Ordinal).ToList();
        var more = said.Count > MostNamed ? $"; and {said.Count - MostNamed} more" : "";
        return $"no peer gave it ({string.Join("; ", said.Take(MostNamed))}{more})";
    }
}
