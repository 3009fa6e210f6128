using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>The encrypted connections of a process that are open.</summary>
internal sealed class OpenStreams
{
    private readonly ConcurrentDictionary<PeerStream, X509Certificate2> _open = [];

    public void Add(PeerStream stream, X509Certificate2 shown)
    {
        _open[stream] = shown;
        stream.Closed = () => _open.TryRemove(stream, out _);
    }

    /// <summary>Closes those whose peers' certificates have a problem by now.</summary>
    public void Close(Func<X509Certificate2, string?> problem)
    {
        foreach (var (stream, shown) in _open)
            if (problem(shown) is not null)
                stream.Cut();
    }

    public void CloseAll() => Close(static _ => "this process ends");
}

/// <summary>A stream over a connection that is another's to dispose of.</summary>
public interface IBorrowedConnection
{
    /// <summary>Null where it is not known.</summary>
    IPEndPoint? Remote { get; }

    /// <summary>Ends the connection at once, from any thread; what was not sent yet is lost.</summary>
    void Abort();
}

/// <summary>An encrypted connection, with who is at its other end.</summary>
/// <param name="below">The plain connection.</param>
internal sealed class PeerStream(Stream below, RemoteCertificateValidationCallback validate)
    : SslStream(below, leaveInnerStreamOpen: false, validate)
{
    private readonly Stream _below = below;

    /// <summary>Null until the handshake is done, and for who may show no certificate.</summary>
    public Identity? Peer { get; set; }

    /// <summary>The address at the other end, for logs.</summary>
    public string Address => Remote is { } at ? new Endpoint(at.Address.ToString(), at.Port).ToString() : "an unknown address";

    /// <summary>The address and port at the other end; null where they are not known.</summary>
    public IPEndPoint? Remote
    {
        get
        {
            try
            {
                var remote = (_below as IBorrowedConnection)?.Remote ?? (_below as NetworkStream)?.Socket.RemoteEndPoint;
                return remote is not IPEndPoint at ? null
                    : at.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(at.Address.MapToIPv4(), at.Port) : at;
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                return null;
            }
        }
    }

    public Action Closed { get; set; } = () => { };

    /// <summary>Ends the connection from any thread, also while others read and write.</summary>
    public void Cut()
    {
        Closed();
        if (_below is IBorrowedConnection borrowed)
            borrowed.Abort();
        else
            _below.Dispose();
    }

    protected override void Dispose(bool disposing)
    {
        Closed();
        base.Dispose(disposing);
    }

    public override ValueTask DisposeAsync()
    {
        Closed();
        return base.DisposeAsync();
    }
}
