using System.Net;
using System.Net.Sockets;

namespace Elastic.Foundation;

/// <summary>
/// How this process opens and accepts connections. It makes one of these when it starts, and whatever has a socket (Akka.Remote, the data
/// plane, the liveness connection, pbm and its server) takes it: who wants every byte encrypted changes nothing else.
/// </summary>
/// <remarks>
/// Encryption goes around the stream of a connection, below HTTP: addresses of the data plane begin with http:// either way. Only
/// Akka.Remote opens its sockets itself; it is told with <see cref="ControlPlane"/>.
/// </remarks>
public sealed record Transport
{
    /// <summary>Bytes travel as they are: who reaches a port can read and say what he likes.</summary>
    public static readonly Transport Plain = new();

    // A stranger that connects and says nothing must not hold a place for ever; a handshake over a bad line takes a second or two.
    private static readonly TimeSpan MostHandshake = TimeSpan.FromSeconds(10);

    /// <summary>What a client makes of the stream of a connection that it has opened.</summary>
    public Func<Stream, Endpoint, CancellationToken, ValueTask<Stream>> AsClientAsync { get; init; } = (stream, _, _) => ValueTask.FromResult(stream);

    /// <summary>The same for a thread that must not wait for the thread pool.</summary>
    public Func<Stream, Endpoint, Stream> AsClient { get; init; } = (stream, _) => stream;

    /// <summary>What a server makes of the stream of a connection that it has accepted.</summary>
    public Func<Stream, CancellationToken, ValueTask<Stream>> AsServerAsync { get; init; } = (stream, _) => ValueTask.FromResult(stream);

    /// <summary>What Akka.Remote is told.</summary>
    public ControlPlane ControlPlane { get; init; } = ControlPlane.Plain;

    /// <summary>Opens a connection.</summary>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    /// <exception cref="IOException">Who listens there is not whom we look for.</exception>
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
    /// <param name="sending">The most that connecting and each write may take.</param>
    /// <inheritdoc cref="ConnectAsync"/>
    public Connection Connect(Endpoint endpoint, TimeSpan sending)
    {
        // On Linux the deadline for sending holds for connecting, too.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = (int)sending.TotalMilliseconds };
        try
        {
            socket.Connect(endpoint.Host, endpoint.Port);
            return new Connection(socket, AsClient(new NetworkStream(socket, ownsSocket: true), endpoint));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The stream to speak through, for a connection that was accepted; the same one where nothing goes around it.</summary>
    /// <exception cref="IOException">The client is not let in, or says nothing for too long.</exception>
    public async Task<Stream> AcceptAsync(Stream accepted, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(MostHandshake);
        try
        {
            return await AsServerAsync(accepted, limit.Token);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new IOException($"no handshake within {MostHandshake.TotalSeconds:0} s", e);
        }
    }

    /// <summary>For an HttpClient: it neither follows nor remembers, and its connections are of this transport.</summary>
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
/// <param name="Socket">Below the stream: to see whether the other side has hung up.</param>
public sealed record Connection(Socket Socket, Stream Stream) : IDisposable
{
    public void Dispose()
    {
        Stream.Dispose();
        Socket.Dispose();
    }
}

/// <summary>What Akka.Remote is told of how it shall open and accept connections.</summary>
/// <param name="Protocol">The first part of its addresses.</param>
/// <param name="Settings">HOCON of its transport, akka.remote.dot-netty.tcp.</param>
public sealed record ControlPlane(string Protocol, string Settings)
{
    public static readonly ControlPlane Plain = new("akka.tcp", "");
}
