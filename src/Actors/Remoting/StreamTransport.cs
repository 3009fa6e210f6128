using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Event;
using Akka.Remote.Transport;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Transport = Elastic.Foundation.Transport;

namespace Elastic.Actors.Remoting;

/// <summary>Gives an actor system the process's transport; the system makes the <see cref="StreamTransport"/> by itself.</summary>
internal sealed class TransportSetup(Transport transport) : Setup
{
    public Transport Transport { get; } = transport;

    /// <summary>The transport that an actor system was given.</summary>
    public static Transport Of(ActorSystem system) =>
        system.Settings.Setup.Get<TransportSetup>() is { HasValue: true } setup ? setup.Value.Transport : Transport.Plain;
}

/// <summary>
/// Akka.Remote over the process's own <see cref="Transport"/>, as the data plane and pbm: frames of a length (4 bytes, little-endian) and
/// that many bytes, which Akka's own transport understands where nothing is encrypted.
/// </summary>
/// <remarks>
/// What comes in is bounded before Akka sees it: the length of a frame, the number of connections, the time for a handshake. Its settings
/// are in the section akka.remote.elastic of hocon/akka.conf.
/// </remarks>
internal sealed class StreamTransport : Akka.Remote.Transport.Transport
{
    private const int Backlog = 512;
    private const int MostConnections = 4096;
    private static readonly string Full = $"refused a connection: {MostConnections} are open, and no more are allowed";
    private static readonly TimeSpan Flushing = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AfterError = TimeSpan.FromMilliseconds(50);

    private readonly Transport _transport;
    private readonly string _host;
    private readonly int _port;
    private readonly bool _listens;
    private readonly TimeSpan _connecting;
    private readonly ILoggingAdapter _log;
    private readonly CancellationTokenSource _ending = new();
    private readonly Repetitions _refusals = new();
    private readonly ConcurrentDictionary<StreamAssociation, bool> _open = [];
    private Socket? _listener;
    private Address? _local;
    private int _accepted;

    /// <summary>Called by Akka.</summary>
    public StreamTransport(ActorSystem system, Config config)
    {
        (System, Config, _log) = (system, config, Logging.GetLogger(system, typeof(StreamTransport)));
        _transport = TransportSetup.Of(system);
        (_host, _port, _listens) = (config.GetString("hostname"), config.GetInt("port"), config.GetBoolean("listens"));
        _connecting = config.GetTimeSpan("connection-timeout");
    }

    /// <inheritdoc/>
    public override string SchemeIdentifier => "tcp";

    /// <inheritdoc/>
    public override long MaximumPayloadBytes => StreamAssociation.MostBytes;

    /// <inheritdoc/>
    public override async Task<(Address, TaskCompletionSource<IAssociationEventListener>)> Listen()
    {
        var interested = new TaskCompletionSource<IAssociationEventListener>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_listens)
            return (_local = AddressOf(Endpoint.Bracketed(_host), _port), interested);
        var address = IPAddress.TryParse(_host, out var literal)
            ? literal
            : (await Dns.GetHostAddressesAsync(_host, _ending.Token))
                .OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).First();
        var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(address, _port));
            listener.Listen(Backlog);
        }
        catch
        {
            listener.Dispose();
            throw;
        }

        _listener = listener;
        _local = AddressOf(Endpoint.Bracketed(_host), ((IPEndPoint)listener.LocalEndPoint!).Port);
        _ = AcceptAllAsync(listener, interested.Task);
        return (_local, interested);
    }

    /// <inheritdoc/>
    public override bool IsResponsibleFor(Address remote) => true;

    /// <inheritdoc/>
    public override async Task<AssociationHandle> Associate(Address remoteAddress)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        limit.CancelAfter(_connecting);
        try
        {
            var connection = await _transport.ConnectAsync(
                new Endpoint(Endpoint.HostOf(remoteAddress.Host!), remoteAddress.Port!.Value), limit.Token);
            return Open(connection.Stream, remoteAddress);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // Akka tries again later, by itself, after this type of exception only.
            throw new InvalidAssociationException(
                $"no connection with {remoteAddress} ({(e is OperationCanceledException ? "nothing answers" : e.Message)})", e);
        }
    }

    /// <inheritdoc/>
    public override async Task<bool> Shutdown()
    {
        await _ending.CancelAsync();
        _listener?.Dispose();
        var open = _open.Keys.ToList();
        foreach (var association in open)
            association.Close();
        try
        {
            await Task.WhenAll(open.Select(a => a.Closed)).WaitAsync(Flushing);
            return true;
        }
        catch (TimeoutException)
        {
            foreach (var association in open)
                association.Cut();
            return false;
        }
    }

    private async Task AcceptAllAsync(Socket listener, Task<IAssociationEventListener> interested)
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                var socket = await listener.AcceptAsync(_ending.Token);
                if (Interlocked.Increment(ref _accepted) > MostConnections)
                {
                    Interlocked.Decrement(ref _accepted);
                    socket.Dispose();
                    if (_refusals.IsDue(Full, DateTime.UtcNow, out var skipped))
                        _log.Warning("{0}{1}", Full, skipped > 0 ? $" (and {skipped} more since the last line)" : "");
                    continue;
                }

                _ = ServeAsync(socket, interested);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // The client was gone already, or this process has no more descriptors: others may end meanwhile.
                _log.Warning("a connection could not be accepted: {0}", e.Message);
                await Task.Delay(AfterError);
            }
        }
    }

    private async Task ServeAsync(Socket socket, Task<IAssociationEventListener> interested)
    {
        try
        {
            socket.NoDelay = true;
            var from = (IPEndPoint)socket.RemoteEndPoint!;
            var stream = await _transport.AcceptAsync(new NetworkStream(socket, ownsSocket: true), _ending.Token);
            var association = Open(stream, AddressOf(Endpoint.Bracketed(from.Address.ToString()), from.Port));
            (await interested).Notify(new InboundAssociation(association));
            await association.Closed;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            _log.Debug("a connection was not accepted: {0}", e.Message);
        }
        finally
        {
            socket.Dispose();
            Interlocked.Decrement(ref _accepted);
        }
    }

    private StreamAssociation Open(Stream stream, Address remote)
    {
        var association = new StreamAssociation(stream, _local!, remote, _log);
        _open[association] = true;
        _ = association.Closed.ContinueWith(
            _ => _open.TryRemove(association, out bool _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        association.Start();
        if (!_ending.IsCancellationRequested)
            return association;
        // Shutdown has closed what it has found in the list, and may not have found this one.
        association.Cut();
        throw new OperationCanceledException("the transport has ended");
    }

    private Address AddressOf(string host, int port) => new(SchemeIdentifier, System.Name, host, port);
}
