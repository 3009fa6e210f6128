using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Elastic.Foundation;

namespace Elastic.Host.Pbm;

/// <summary>The limits that keep a server answering whatever its clients do. The defaults suit people at consoles.</summary>
/// <param name="Connections">A further client takes the place of the one that has asked for nothing for longest; where all have a command
/// running, it is refused with this reason.</param>
/// <param name="Handshake">Time to say hello.</param>
/// <param name="Idle">Time between two requests; an interactive client connects again by itself.</param>
/// <param name="Write">
/// Time to take one line: long, because a person may look at a page of output meanwhile, and a waiting call holds one line only.
/// </param>
/// <param name="Beat">Time between two beats of a call that has no line to send.</param>
internal sealed record PbmLimits(int Connections, TimeSpan Handshake, TimeSpan Idle, TimeSpan Write, TimeSpan Beat)
{
    public static readonly PbmLimits Default = new(
        64, TimeSpan.FromSeconds(10), TimeSpan.FromHours(1), TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(5));
}

/// <summary>Listens for <c>pbm</c> and serves palettes to it, where it shows a certificate or the seed's token.</summary>
internal sealed class PbmServer : IAsyncDisposable
{
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AcceptAgain = TimeSpan.FromMilliseconds(500);

    private readonly TcpListener _listener;
    private readonly PbmService _service;
    private readonly Transport _transport;
    private readonly CancellationTokenSource _ended = new();        // not disposed of: it has no timer, and connections may outlive it
    private readonly Dictionary<Task, PbmSession> _connections = [];    // guarded by itself: tasks leave it from the thread pool
    private readonly Task _accepting;

    private PbmServer(TcpListener listener, PbmService service, Transport transport)
    {
        (_listener, _service, _transport) = (listener, service, transport);
        var bound = (IPEndPoint)listener.LocalEndpoint;
        Endpoint = new Endpoint(bound.Address.ToString(), bound.Port);
        _accepting = AcceptAsync();
    }

    /// <summary>The endpoint on which the server listens, with the port that was bound.</summary>
    public Endpoint Endpoint { get; }

    /// <summary>Starts to listen.</summary>
    /// <param name="host">The address to bind, or a name of this machine.</param>
    /// <param name="port">0 for any free one.</param>
    /// <param name="transport">The transport of this process.</param>
    /// <exception cref="ElasticException">The address is not one of this machine's, or the port is in use.</exception>
    public static async Task<PbmServer> StartAsync(
        string host, int port, PbmService service, Transport transport, CancellationToken cancel)
    {
        TcpListener? listener = null;
        try
        {
            var address = (await Dns.GetHostAddressesAsync(host, cancel)).OrderBy(a => a.AddressFamily).First();      // IPv4 before IPv6
            listener = new TcpListener(address, port);
            listener.Start();
        }
        catch (SocketException e)
        {
            listener?.Dispose();
            throw new ElasticException(e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? $"port {port} of {host} is in use: "
                    + "end the process that holds it, or choose another one with --pbm-port (0 takes any free one)"
                : $"pbm's port {port} of {host} cannot be opened ({e.Message}): "
                    + "name an address of this machine with --host, or another port with --pbm-port", e);
        }

        return new PbmServer(listener, service, transport);
    }

    /// <summary>Ends all calls and closes all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Dispose();
        Task[] open;
        lock (_connections)
            open = [_accepting, .. _connections.Keys];
        try
        {
            await Task.WhenAll(open).WaitAsync(EndDeadline, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            // A command ignores its cancellation; it must not keep the process from ending.
        }
    }

    private async Task AcceptAsync()
    {
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                Serve(await _listener.AcceptSocketAsync(_ended.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or InvalidOperationException)     // the latter: listener stopped
            {
                return;
            }
            catch (SocketException)
            {
                // Too many open files, or a client that has gone already: the server goes on listening.
                await Task.Delay(AcceptAgain, _ended.Token).ContinueWith(_ => { }, TaskScheduler.Default);
            }
        }
    }

    private void Serve(Socket socket)
    {
        lock (_connections)
        {
            // Tells a few clients above the limit why they are refused, but not a flood of them. Those that were pushed out are about to
            // go: a thousand connections that say nothing must not keep out the next one.
            if (_connections.Values.Count(s => !s.IsPushedOut) is var clients && clients >= 2 * _service.Limits.Connections)
            {
                _service.Commands.Refuse(AddressOf(socket), $"{clients} clients are connected already");
                socket.Dispose();
                return;
            }

            // Sessions that say nothing must not keep a person out who has something to say.
            var served = _connections.Values.Where(s => !s.IsRefused && !s.IsPushedOut).ToList();
            var isFull = served.Count >= _service.Limits.Connections;
            if (isFull && served.Where(s => s.IdleSince is not null).MinBy(s => s.IdleSince)?.PushOut() is { } gone)
            {
                isFull = false;
                _service.Commands.Refuse(
                    gone.From, $"it asked for nothing, and another client wanted one of the {_service.Limits.Connections} places");
            }

            var session = new PbmSession(AddressOf(socket), _ended.Token) { IsRefused = isFull };
            var serving = Task.Run(() => ServeAsync(socket, session, isFull));
            _connections.Add(serving, session);
            _ = serving.ContinueWith(Leave, TaskScheduler.Default);
        }
    }

    private async Task ServeAsync(Socket socket, PbmSession session, bool isFull)
    {
        socket.NoDelay = true;
        var accepted = new NetworkStream(socket, ownsSocket: true);
        Stream stream;
        try
        {
            stream = await _transport.AcceptAsync(accepted, session.Ended);
        }
        catch (Exception e) when (e is IOException or AuthenticationException or OperationCanceledException)
        {
            await accepted.DisposeAsync();
            return;
        }

        var connection = new PbmConnection(stream, _service, session, _ended.Token);
        await (isFull
            ? connection.RefuseAsync(
                $"{_service.Limits.Connections} clients have a command running already: end one of them, then try again")
            : connection.ServeAsync());
    }

    private static string AddressOf(Socket socket)
    {
        try
        {
            return $"{socket.RemoteEndPoint}";
        }
        catch (SocketException)
        {
            return "a client that has gone";
        }
    }

    private void Leave(Task serving)
    {
        lock (_connections)
            _connections.Remove(serving);
    }
}
