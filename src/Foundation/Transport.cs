using System.Net;
using System.Net.Sockets;
using Elastic.Foundation.Certificates;

namespace Elastic.Foundation;

/// <summary>
/// How this process opens and accepts connections. The process makes one when it starts, and everything that has a socket (Akka.Remote, the
/// data plane, the liveness connection, pbm and its server) uses it: to encrypt every byte, only this object changes.
/// </summary>
/// <remarks>
/// Encryption goes around the stream of a connection, below HTTP and Akka.Remote: addresses of the data plane begin with http:// either
/// way, and those of the control plane with akka.tcp://.
/// </remarks>
public sealed record Transport
{
    /// <summary>Bytes travel as they are: whoever reaches a port can read and send anything.</summary>
    public static readonly Transport Plain = new();

    /// <summary>Wraps the stream of a connection that a client has opened.</summary>
    public Func<Stream, Endpoint, CancellationToken, ValueTask<Stream>> AsClientAsync { get; init; } =
        (stream, _, _) => ValueTask.FromResult(stream);

    /// <summary>Wraps the stream of a connection that a client has opened, on a thread that must not wait for the thread pool.</summary>
    public Func<Stream, Endpoint, Stream> AsClient { get; init; } = (stream, _) => stream;

    /// <summary>Wraps the stream of a connection that a server has accepted.</summary>
    public Func<Stream, CancellationToken, ValueTask<Stream>> AsServerAsync { get; init; } = (stream, _) => ValueTask.FromResult(stream);

    /// <summary>What this process shows to others of its cluster; null where it has no certificate of the cluster.</summary>
    public Credentials? Credentials { get; init; }

    /// <summary>True where its connections are.</summary>
    public bool IsEncrypted { get; init; }

    /// <summary>
    /// True for a host name or an address that the certificate holds which its servers show: no page that reaches them by another name
    /// gets past the browser's own look at it.
    /// </summary>
    public Func<string, bool> IsNamed { get; init; } = _ => false;

    /// <summary>
    /// How long a client may take for its handshake: one that connects and sends nothing must not hold a connection for ever; over a bad
    /// network it takes a second or two. As long may a server be silent in it, where the client's thread waits: one that is stopped still
    /// has its connections accepted, by its kernel.
    /// </summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Opens a connection.</summary>
    /// <exception cref="SocketException">No process listens there.</exception>
    /// <exception cref="IOException">The process that listens there is not the expected one.</exception>
    public async Task<Connection> ConnectAsync(Endpoint endpoint, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endpoint.Host, endpoint.Port, cancel);
            return new Connection(socket, await AsClientAsync(new NetworkStream(socket, ownsSocket: true), endpoint, cancel));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Opens a connection without the thread pool.</summary>
    /// <param name="sending">The most that connecting and each write may take; a read may take any time.</param>
    /// <inheritdoc cref="ConnectAsync"/>
    public Connection Connect(Endpoint endpoint, TimeSpan sending)
    {
        // On Linux the deadline for sending holds for connecting, too.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = (int)sending.TotalMilliseconds };
        try
        {
            socket.Connect(endpoint.Host, endpoint.Port);
            socket.ReceiveTimeout = (int)Handshake.TotalMilliseconds;
            var stream = AsClient(new NetworkStream(socket, ownsSocket: true), endpoint);
            socket.ReceiveTimeout = 0;
            return new Connection(socket, stream);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The stream to use for a connection that was accepted; the same one where nothing wraps it.</summary>
    /// <exception cref="IOException">The client is refused, or sends nothing for too long.</exception>
    public async Task<Stream> AcceptAsync(Stream accepted, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Handshake);
        try
        {
            return await AsServerAsync(accepted, limit.Token);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            Credentials?.SayRefusal($"refused a connection that ended no handshake within {Handshake.TotalSeconds:0} s");
            throw new IOException($"no handshake within {Handshake.TotalSeconds:0} s", e);
        }
    }

    /// <summary>The handler for an HttpClient: without redirects and cookies, and with connections of this transport.</summary>
    public SocketsHttpHandler HttpHandler() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
        ConnectCallback = async (context, cancel) => (await ConnectAsync(EndpointOf(context.DnsEndPoint), cancel)).Stream,
    };

    private static Endpoint EndpointOf(DnsEndPoint at) => new(at.Host, at.Port);
}

/// <summary>A connection that this process has opened. Disposing of its stream closes the socket.</summary>
/// <param name="Socket">Below the stream: shows whether the other side has hung up.</param>
public sealed record Connection(Socket Socket, Stream Stream) : IDisposable
{
    public void Dispose()
    {
        Stream.Dispose();
        Socket.Dispose();
    }
}
