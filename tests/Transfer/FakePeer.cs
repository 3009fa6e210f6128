using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Transfer.Tests;

/// <summary>A peer that does what a test says: it speaks just enough HTTP to misbehave. One request per connection.</summary>
internal sealed class FakePeer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Request, Task> _answer;

    public FakePeer(Func<Request, Task> answer)
    {
        _answer = answer;
        _listener.Start();
        _ = AcceptAsync();
    }

    public Endpoint Endpoint => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    public ConcurrentQueue<Request> Requests { get; } = [];

    /// <summary>
    /// Answers with the bytes, or the range of them that is asked for, and breaks off after <paramref name="most"/> of them.
    /// </summary>
    public static FakePeer Of(byte[] bytes, int most = int.MaxValue) => new(request => request.SendAsync(bytes, most));

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
            _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        await using var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var (method, path) = (await reader.ReadLineAsync(_stop.Token))!.Split(' ') switch { var words => (words[0], words[1]) };
        int? from = null, to = null;
        while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 } header)
        {
            if (!header.StartsWith("Range: bytes=", StringComparison.OrdinalIgnoreCase))
                continue;
            var ends = header["Range: bytes=".Length..].Split('-');
            from = int.Parse(ends[0], CultureInfo.InvariantCulture);
            to = ends[1].Length == 0 ? null : int.Parse(ends[1], CultureInfo.InvariantCulture);
        }

        var request = new Request(method, path, from, to, stream, _stop.Token);
        Requests.Enqueue(request);
        await _answer(request);
    }

    internal sealed record Request(string Method, string Path, int? From, int? To, NetworkStream Stream, CancellationToken Stop)
    {
        public async Task HeadAsync(int status, string headers) =>
            await Stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} Whatever\r\nConnection: close\r\n{headers}\r\n"), Stop);

        public Task RefuseAsync(int status) => HeadAsync(status, "Content-Length: 0\r\n");

        public async Task SendAsync(byte[] bytes, int most = int.MaxValue)
        {
            var first = From ?? 0;
            var end = Math.Min(To ?? bytes.Length - 1, bytes.Length - 1) + 1;
            var range = From is null ? "" : $"Content-Range: bytes {first}-{end - 1}/{bytes.Length}\r\n";
            await HeadAsync(From is null ? 200 : 206, $"{range}Content-Length: {end - first}\r\n");
            if (Method == "GET")
                await Stream.WriteAsync(bytes.AsMemory(first, Math.Min(most, end - first)), Stop);
        }
    }
}
