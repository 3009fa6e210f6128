using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Transfer;

/// <summary>
/// The node's end of a liveness connection: one connection to a data server, with a byte every <see cref="LivenessConnections.Beat"/>.
/// Reconnects by itself.
/// </summary>
/// <remarks>
/// It has threads of its own and speaks HTTP through a blocking stream, so no part of it waits for the thread pool: a node whose pool is
/// busy or starved for seconds is alive, and giving its work away would make the congestion worse. It breaks only for a process that was
/// killed, stopped or cut off.
/// </remarks>
public sealed class LivenessConnection : IAsyncDisposable
{
    private static readonly TimeSpan Connecting = TimeSpan.FromSeconds(2);

    // Longer than the deadline for sending, by which a connection that stands has ended.
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(5);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    // One chunk of a chunked body, with the beat in it; and the chunk that ends the body.
    private static readonly byte[] Beat = "1\r\n.\r\n"u8.ToArray(), End = "0\r\n\r\n"u8.ToArray();

    private readonly Transport _transport;
    private readonly string _path;
    private readonly AutoResetEvent _changed = new(false);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Any thread writes it, the connection's own reads it. A box, since writing an endpoint is not atomic.
    private volatile object? _endpoint;
    private volatile bool _disposed;

    public LivenessConnection(NodeId node, string incarnation, Transport transport)
    {
        _transport = transport;
        _path = $"/liveness?node={Uri.EscapeDataString(node.Value)}&incarnation={Uri.EscapeDataString(incarnation)}";
        new Thread(Run) { IsBackground = true, Name = "liveness" }.Start();
    }

    /// <summary>Connects to that data server from now on; null: to none.</summary>
    public void PointTo(Endpoint? endpoint)
    {
        _endpoint = endpoint;
        _changed.Set();
    }

    /// <summary>
    /// Ends the connection, and tells the other side that the end is intended. Waits for neither a server that does not answer nor for a
    /// name server: the connection's thread ends by itself then.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _changed.Set();
        await _ended.Task.WaitAsync(Goodbye).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Run()
    {
        var failures = 0;
        while (!_disposed)
        {
            if (_endpoint is not Endpoint endpoint)
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

            // A connection that held for a while was good: the next failure is counted from zero.
            failures = Stopwatch.GetElapsedTime(since) > Retry.Longest ? 0 : failures;
            _changed.WaitOne(Retry.After(failures++));
        }

        _ended.SetResult();
    }

    // Returns true when the connection has to lead elsewhere; false when it could not be made, or broke.
    private bool Hold(Endpoint endpoint)
    {
        try
        {
            using var connection = _transport.Connect(endpoint, Connecting);
            var answer = new Answer(connection.Stream, _changed);
            connection.Stream.Write(
                Encoding.ASCII.GetBytes($"POST {_path} HTTP/1.1\r\nHost: {endpoint}\r\nTransfer-Encoding: chunked\r\n\r\n"));
            while (!answer.IsThere)
            {
                connection.Stream.Write(Beat);
                _changed.WaitOne(LivenessConnections.Beat);
                if (_disposed || !endpoint.Equals(_endpoint))
                {
                    connection.Stream.Write(End);
                    return true;
                }
            }

            return false;
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException)
        {
            return !endpoint.Equals(_endpoint);
        }
    }

    /// <summary>
    /// Waits for a first byte. The server answers only to refuse or to end the connection. A thread of its own waits, because only reading
    /// shows whether an encrypted stream has data.
    /// </summary>
    private sealed class Answer
    {
        private const int StackBytes = 256 << 10;

        private volatile bool _isThere;

        public Answer(Stream stream, AutoResetEvent changed)
        {
            void Wait()
            {
                try
                {
                    _ = stream.ReadByte();
                }
                catch (Exception e) when (e is IOException or ObjectDisposedException)
                {
                    // The connection broke, or this side has closed it.
                }

                _isThere = true;
                changed.Set();
            }

            new Thread(Wait, StackBytes) { IsBackground = true, Name = "liveness-answer" }.Start();
        }

        public bool IsThere => _isThere;
    }
}
