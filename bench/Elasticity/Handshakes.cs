using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>What it costs that many nodes connect to a seed at once with mutual TLS, against the same connections without.</summary>
internal sealed class Handshakes(Options options)
{
    public async Task RunAsync()
    {
        var (nodes, turns) = (options.Number("nodes", 200), options.Number("turns", 10));
        var folder = Path.Combine(options.Folder, $"elastic-bench-{Guid.NewGuid():N}");
        try
        {
            using var authority = new TestAuthority(folder);
            using var seed = Credentials.OfNode(authority.Issue("seed", Role.Seed), TimeProvider.System);
            using var node = Credentials.OfNode(authority.Issue("node", Role.Worker), TimeProvider.System);
            Samples plain = new(), encrypted = new(), processor = new();
            for (var turn = 0; turn <= turns; turn++)
            {
                // The first turn warms up.
                var without = await ConnectAsync(nodes, Transport.Plain, Transport.Plain);
                var before = Process.GetCurrentProcess().TotalProcessorTime;
                var with = await ConnectAsync(nodes, TlsTransport.BetweenNodes(seed), TlsTransport.BetweenNodes(node));
                if (turn == 0)
                    continue;
                plain.Add(without);
                encrypted.Add(with);
                processor.Add((Process.GetCurrentProcess().TotalProcessorTime - before).TotalMilliseconds / nodes);
            }

            Console.WriteLine($"{nodes} nodes connect to a seed at once, both sides in one process, {Environment.ProcessorCount} cores; "
                + $"medians of {turns} (quartiles)");
            Report.Row("seconds, plain", plain);
            Report.Row("seconds, mutual TLS", encrypted);
            Report.Row("processor milliseconds a handshake, both sides", processor);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private static async Task<Stream> AcceptAsync(TcpListener listener, Transport server) => await server.AcceptAsync(
        new NetworkStream(await listener.AcceptSocketAsync(), ownsSocket: true), CancellationToken.None);

    private static async Task<double> ConnectAsync(int nodes, Transport server, Transport client)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start(nodes);
        var endpoint = new Endpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        var began = Stopwatch.GetTimestamp();
        var connecting = Enumerable.Range(0, nodes).Select(_ => client.ConnectAsync(endpoint, CancellationToken.None)).ToList();
        var accepted = await Task.WhenAll(Enumerable.Range(0, nodes).Select(_ => AcceptAsync(listener, server)).ToList());
        var connected = await Task.WhenAll(connecting);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        foreach (var connection in connected)
            connection.Dispose();
        foreach (var stream in accepted)
            await stream.DisposeAsync();
        return seconds;
    }
}
