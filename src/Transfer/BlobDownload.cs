using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Transfer;

/// <summary>
/// The download of one blob, or of one range of it. When a peer breaks off, its bytes are kept, and the next peer goes on there.
/// </summary>
/// <remarks>
/// A whole blob is hashed while it arrives. Wrong bytes that all came from one peer convict that peer. Wrong bytes of several peers convict
/// none: the blob is then fetched anew, all bytes from one peer, so that the next peer that sends wrong bytes is convicted for sure.
/// </remarks>
public sealed class BlobDownload : IDisposable
{
    private readonly HttpClient _http;
    private readonly TransferLimits _limits;
    private readonly Digest _digest;
    private readonly BlobSink _sink;
    private readonly PeerSelection _selection;
    private readonly IncrementalHash? _hash;        // null: a range, which has no digest of its own
    private readonly (long First, long Count, long BlobBytes)? _range;
    private readonly HashSet<Endpoint> _senders = [];     // of the received bytes

    private bool _mixing = true;
    private bool _storing;
    private long _offset;           // bytes received
    private long? _length;          // bytes of the download
    private int _interruptions;

    private BlobDownload(HttpClient http, Peers peers, Digest digest, Digest? set, BlobSink sink, (long, long, long)? range)
    {
        (_http, _limits, _digest, _sink, _range) = (http, peers.Limits, digest, sink, range);
        _selection = new PeerSelection(peers, digest, set);
        _hash = range is null ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    }

    /// <summary>A peer named another length than was expected of a range: the peer or the expectation is wrong.</summary>
    public bool Disputed { get; private set; }

    /// <summary>Downloads a blob and verifies it.</summary>
    /// <param name="mixing">False: all bytes must come from one peer, at the price of starting anew after each break.</param>
    /// <exception cref="BlobLostException">No peer gave the blob.</exception>
    public static async Task WholeAsync(
        HttpClient http, Peers peers, Digest digest, Digest? set, BlobSink sink, CancellationToken cancel, bool mixing = true)
    {
        using var download = new BlobDownload(http, peers, digest, set, sink, null) { _mixing = mixing };
        await download.RunAsync(cancel);
    }

    /// <summary>Makes the download of a range of a blob of <paramref name="blobBytes"/> bytes. The range is not verified.</summary>
    public static BlobDownload OfRange(
        HttpClient http, Peers peers, Digest digest, BlobSink sink, long first, long count, long blobBytes) =>
        new(http, peers, digest, digest, sink, (first, count, blobBytes)) { _length = count };

    /// <exception cref="BlobLostException">No peer gave the blob.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (true)
        {
            using var peer = await _selection.NextAsync(cancel);
            if (await ReceiveAsync(peer, cancel) && IsRight(peer))
            {
                peer.Served();
                return;
            }

            if (_offset > 0 && ++_interruptions > _limits.Interruptions)
                throw new BlobLostException(_digest, $"broke off {_interruptions} times; {_selection.Summary()}");
            if (!_mixing)
                Restart();
        }
    }

    public void Dispose() => _hash?.Dispose();

    // Returns true when all bytes have been received.
    private async Task<bool> ReceiveAsync(PeerLease peer, CancellationToken cancel)
    {
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        stall.CancelAfter(_limits.Stall);
        using var leaving = peer.Left.Register(() => stall.CancelAfter(_limits.StallAfterLeaving));
        try
        {
            using var request = Request(peer.Endpoint);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
            if (!Accept(peer, response))
                return false;
            peer.Had();
            using var stream = await response.Content.ReadAsStreamAsync(stall.Token);
            while (_offset < _length)
            {
                stall.CancelAfter(peer.Left.IsCancellationRequested ? _limits.StallAfterLeaving : _limits.Stall);
                var room = _sink.Room(_offset);
                var received = await stream.ReadAsync(room, stall.Token);
                if (received == 0)
                    throw new IOException("the connection was closed");
                Store(peer, room, received);
            }

            return true;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            Fail(peer, (stall.IsCancellationRequested, peer.Left.IsCancellationRequested) switch
            {
                (false, _) => $"no connection within {_limits.Connect.TotalSeconds:0.#} s",
                (true, false) => $"no bytes for {_limits.Stall.TotalSeconds:0.#} s",
                (true, true) => "no more bytes since it left",
            });
        }
        catch (Exception e) when (!_storing && e is HttpRequestException or IOException or SocketException)
        {
            Fail(peer, e.Message);
        }

        return false;
    }

    private void Store(PeerLease peer, Memory<byte> room, int received)
    {
        _storing = true;            // An error in storing, e.g. a full disk, is no peer's fault.
        _senders.Add(peer.Endpoint);
        _hash?.AppendData(room.Span[..received]);
        _sink.Take(_offset, received);
        _offset += received;
        _selection.Progress(received);
        _storing = false;
    }

    private HttpRequestMessage Request(Endpoint endpoint)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, UriOf(endpoint, _digest));
        var first = (_range?.First ?? 0) + _offset;
        if (_range is { } range)
            request.Headers.Range = new RangeHeaderValue(first, range.First + range.Count - 1);
        else if (first > 0)
            request.Headers.Range = new RangeHeaderValue(first, null);
        return request;
    }

    internal static Uri UriOf(Endpoint endpoint, Digest digest) => new($"http://{endpoint}/blobs/{digest.Hex}");

    // Returns true when the response carries the missing bytes.
    private bool Accept(PeerLease peer, HttpResponseMessage response)
    {
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            peer.Lacked();
            _selection.Note(peer, "does not have it");
            return false;
        }

        var first = (_range?.First ?? 0) + _offset;
        var content = response.Content.Headers;
        var ranged = _range is not null || _offset > 0;
        var bytes = response.StatusCode switch
        {
            HttpStatusCode.OK when !ranged => content.ContentLength,
            HttpStatusCode.PartialContent when ranged && content.ContentRange?.From == first => content.ContentRange.Length,
            HttpStatusCode.RequestedRangeNotSatisfiable => content.ContentRange?.Length,
            _ => null,
        };
        if (bytes is not { } blobBytes)
        {
            Fail(peer, string.Create(
                CultureInfo.InvariantCulture, $"answered {(int)response.StatusCode} without the bytes that were asked for"));
            return false;
        }

        if (_range is { } range)
        {
            if (blobBytes == range.BlobBytes)
                return Expected(peer, range.Count);
            Disputed = true;
            _selection.Note(peer, $"has {blobBytes} bytes instead of {range.BlobBytes}");
            return false;
        }

        if (_offset > 0 && blobBytes != _length)
        {
            // An earlier peer named another length: one of the two peers is wrong, so this peer is asked for the whole blob.
            Restart();
            _interruptions++;
            _selection.LetOff(peer);
            return false;
        }

        _length = blobBytes;
        return Expected(peer, blobBytes);
    }

    private bool Expected(PeerLease peer, long bytes)
    {
        if (_sink.Expect(bytes) is not { } wrong)
            return true;
        _selection.Note(peer, wrong);
        return false;
    }

    private bool IsRight(PeerLease peer)
    {
        if (_hash is null || Digest.Of(_hash) == _digest)
            return true;
        if (_senders.Count == 1)
        {
            peer.Lied();
            _selection.Note(peer, "sent bytes that do not give the digest");
        }
        else
        {
            Fail(peer, "sent the end of bytes that do not give the digest");
        }

        _mixing = false;
        return false;
    }

    private void Restart()
    {
        _offset = 0;
        _senders.Clear();
        _ = _hash?.GetHashAndReset();
    }

    private void Fail(PeerLease peer, string said)
    {
        peer.Failed();
        _selection.Note(peer, said);
    }
}
