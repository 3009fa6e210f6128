using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Transfer;

/// <summary>
/// Asks one peer after the other for a blob, and all of them again after a pause, until patience ends. Remembers what each said.
/// </summary>
/// <param name="set">The set that the blob belongs to, if any.</param>
public sealed class PeerSelection(Peers peers, Digest digest, Digest? set)
{
    private static readonly Backoff Pause = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));

    // A message is read by people.
    private const int MostNamed = 16;

    private readonly HashSet<Endpoint> _asked = [];       // since the last pause
    private readonly Dictionary<Endpoint, string> _said = [];
    private long? _emptyHandedSince;
    private int _pauses;

    /// <summary>The next peer, which the caller disposes of; asked or not, it does not come again before the next pause unless it is let off.</summary>
    /// <exception cref="BlobLostException">Patience is over; names the peers and what each said.</exception>
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

    /// <summary>Notes what a peer said, for the message that nobody had the blob.</summary>
    public void Note(PeerLease peer, string said) => _said[peer.Endpoint] = said;

    /// <summary>The peer may be asked again at once.</summary>
    public void LetOff(PeerLease peer) => _asked.Remove(peer.Endpoint);

    /// <summary>Bytes have come: patience begins anew.</summary>
    public void Progress() => (_emptyHandedSince, _pauses) = (null, 0);

    /// <summary>Why the blob cannot be had: the peers that were asked, and what each said last.</summary>
    public string Summary()
    {
        var now = peers.Endpoints;
        foreach (var endpoint in peers.Distrusted)
            _said.TryAdd(endpoint, "not asked, because it sent wrong bytes not long ago");
        if (_said.Count == 0)
            return "cannot be fetched: no peer is known";
        var said = _said.Select(s => $"{s.Key}{(now.Contains(s.Key) ? "" : " (has left)")}: {s.Value}").Order(StringComparer.Ordinal).ToList();
        var more = said.Count > MostNamed ? $"; and {said.Count - MostNamed} more" : "";
        return $"no peer gave it ({string.Join("; ", said.Take(MostNamed))}{more})";
    }
}
