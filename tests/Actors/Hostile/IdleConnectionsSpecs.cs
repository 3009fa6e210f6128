using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>Connections that are opened and say nothing cost a node little, and keep none of its peers out.</summary>
[Collection(nameof(IdleConnectionsSpecs))]
public sealed class IdleConnectionsSpecs : HostileScene
{
    private const int Idle = 1000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_with_a_thousand_idle_connections_to_each_port_takes_in_a_worker_and_serves_it(bool certified)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        using var ofSeed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var ofWorker = Credentials.OfNode(authority.Issue("w1", Role.Worker), TimeProvider.System);
        var refused = new ConcurrentQueue<string>();
        ofSeed.Say = refused.Enqueue;
        var transport = certified ? TlsTransport.BetweenNodes(ofWorker) : Transport.Plain;
        await using var seed = await StartAsync(
            certified ? TlsTransport.BetweenNodes(ofSeed) with { Handshake = TimeSpan.FromSeconds(2) } : Transport.Plain);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var idle = new List<Socket>();
        foreach (var port in new[] { seed.Endpoint.Port, seed.HttpEndpoint.Port })
            for (var i = 0; i < Idle; i++)
            {
                idle.Add(new Socket(SocketType.Stream, ProtocolType.Tcp));
                await idle[^1].ConnectAsync(IPAddress.Loopback, port, deadline.Token);
            }

        await using var worker = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, "worker") }, NodeDuty.Worker(seed.Endpoint),
            Said.Enqueue, NodeFaults.None, transport, deadline.Token);
        while ((await seed.Control.NodesAsync(deadline.Token)).Length < 2)
            await Task.Delay(20, deadline.Token);
        using var http = new HttpClient(transport.HttpHandler());
        Assert.Equal("ok\n", await http.GetStringAsync(new Uri($"http://{seed.HttpEndpoint}/health"), deadline.Token));
        // Both ends of 2,000 connections, with a task and two buffers each, and of TLS what a handshake has begun with.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 100L << 20);

        if (certified)
        {
            // They are closed, and the log says so, ten times in ten seconds at most.
            foreach (var socket in idle)
                Assert.Equal(0, await ReceiveAsync(socket));
            Assert.Contains("refused a connection that ended no handshake within 2 s", refused);
            Assert.InRange(refused.Count, 1, 40);
        }

        idle.ForEach(s => s.Dispose());

        async Task<int> ReceiveAsync(Socket socket)
        {
            try
            {
                return await socket.ReceiveAsync(new byte[1], deadline.Token);
            }
            catch (SocketException)
            {
                return 0;                                                // reset
            }
        }
    }
}

/// <summary>Memory is measured: nothing else runs in the process meanwhile.</summary>
[CollectionDefinition(nameof(IdleConnectionsSpecs), DisableParallelization = true)]
public sealed class AloneInTheProcess;
