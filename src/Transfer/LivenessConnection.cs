using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Transfer;

/// <summary>
/// The node's end of a liveness connection: one connection to wherever it points, with a byte every <see cref="LivenessConnections.Beat"/>. Reconnects by itself.
/// </summary>
/// <remarks>
/// It has a thread of its own and speaks HTTP through a blocking socket, so no part of it waits for the thread pool: a node whose pool is
/// busy or starved for seconds is not dead, and taking its work away would make the congestion worse. What remains is what should be
/// noticed: a process that was killed, stopped or cut off.
/// </remarks>
public sealed class LivenessConnection : IAsyncDisposable
{
    private static readonly TimeSpan Connecting = TimeSpan.FromSeconds(2);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    // One chunk of a chunked body, with the beat in it; and the chunk that ends the body.
    private static readonly byte[] Beat = "1\r\n.\r\n"u8.ToArray(), End = "0\r\n\r\n"u8.ToArray();

    private readonly string _path;
    private readonly AutoResetEvent _changed = new(false);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Written by any thread, read by the liveness connection's own.
    private volatile string? _endpoint;
    private volatile bool _disposed;

    public LivenessConnection(NodeId node, string incarnation)
    {
        _path = $"/liveness?node={Uri.EscapeDataString(node.Value)}&incarnation={Uri.EscapeDataString(incarnation)}";
        new Thread(Run) { IsBackground = true, Name = "liveness connection" }.Start();
    }

    /// <summary>Connects to that data server ("host:port") from now on; null: to none.</summary>
    public void PointTo(string? endpoint)
    {
        _endpoint = endpoint;
        _changed.Set();
    }

    /// <summary>Ends the liveness connection, which the other side is told as such.</summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _changed.Set();
        await _ended.Task;
    }

    private void Run()
    {
        var failures = 0;
        while (!_disposed)
        {
            if (_endpoint is not { } endpoint)
            {
                _changed.WaitOne();
                continue;
            }

            var since = Stopwatch.GetTimestamp();
            if (Hold(endpoint))
            {
                failures = 0;
                continue;
            }

            // What held for a while was a good connection: the next one gets a fresh start.
            failures = Stopwatch.GetElapsedTime(since) > Retry.Longest ? 0 : failures;
            _changed.WaitOne(Retry.After(failures++));
        }

        _ended.SetResult();
    }

    // True: it points elsewhere now. False: the connection could not be made or broke.
    private bool Hold(string endpoint)
    {
        try
        {
            using var socket = Connect(endpoint);
            socket.Send(Encoding.ASCII.GetBytes($"POST {_path} HTTP/1.1\r\nHost: {endpoint}\r\nTransfer-Encoding: chunked\r\n\r\n"));
            while (true)
            {
                socket.Send(Beat);
                _changed.WaitOne(LivenessConnections.Beat);
                if (_disposed || _endpoint != endpoint)
                {
                    socket.Send(End);
                    return true;
                }

                // There is no answer while all is well: something to read is a refusal, or the end of the connection.
                if (socket.Poll(TimeSpan.Zero, SelectMode.SelectRead))
                    return false;
            }
        }
        catch (Exception e) when (e is SocketException or FormatException or ArgumentException)
        {
            return _endpoint != endpoint;
        }
    }

    /// <exception cref="SocketException">There is no connection.</exception>
    /// <exception cref="FormatException">The endpoint is no "host:port".</exception>
    /// <exception cref="ArgumentException">Its host is none.</exception>
    private static Socket Connect(string endpoint)
    {
        var colon = endpoint.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(endpoint.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            throw new FormatException($"\"{endpoint}\" is no host:port");
        // On Linux the deadline for sending holds for connecting, too.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = (int)Connecting.TotalMilliseconds };
        try
        {
            socket.Connect(endpoint[..colon].Trim('[', ']'), port);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
