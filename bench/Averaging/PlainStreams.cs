using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Elastic.Bench.Mean;

/// <summary>Bytes over plain TCP sockets and nothing else: the peer that the averaging is compared with.</summary>
internal sealed class PlainStreams : IDisposable
{
    private const int PieceBytes = 1 << 20;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public PlainStreams()
    {
        _listener.Start();
        Endpoint = _listener.LocalEndpoint.ToString()!;
        new Thread(Serve) { IsBackground = true }.Start();
    }

    public string Endpoint { get; }

    /// <summary>Receives so many bytes from each of these servers at once, one connection and one thread each.</summary>
    /// <param name="streams">"host:port=bytes".</param>
    public static void Receive(IReadOnlyList<string> streams)
    {
        var threads = streams.Select(stream => new Thread(() => ReceiveOne(stream))).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
    }

    public void Dispose() => _listener.Dispose();

    private static void ReceiveOne(string stream)
    {
        var (endpoint, bytes) = (IPEndPoint.Parse(stream.Split('=')[0]), long.Parse(stream.Split('=')[1], CultureInfo.InvariantCulture));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(endpoint);
        socket.Send(BitConverter.GetBytes(bytes));
        var buffer = new byte[PieceBytes];
        while (bytes > 0)
        {
            var received = socket.Receive(buffer);
            if (received == 0)
                throw new IOException("the stream broke");
            bytes -= received;
        }
    }

    private void Serve()
    {
        try
        {
            while (true)
            {
                var socket = _listener.AcceptSocket();
                new Thread(() => Send(socket)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // Disposed of: the end.
        }
    }

    private static void Send(Socket socket)
    {
        using var _ = socket;
        var count = new byte[sizeof(long)];
        socket.Receive(count);
        var buffer = new byte[PieceBytes];
        for (var left = BitConverter.ToInt64(count); left > 0;)
            left -= socket.Send(buffer.AsSpan(0, (int)Math.Min(left, PieceBytes)));
    }
}
