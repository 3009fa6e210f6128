using System.Net.Sockets;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary>Clients that connect to pbm's port and say nothing.</summary>
public sealed class IdleClientsTests : TemporaryFolder
{
    private static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    [Fact]
    public async Task A_thousand_of_them_keep_nobody_out_and_give_way_to_each_other()
    {
        await using var server = await PbmServer.StartAsync("127.0.0.1", 0, TestService.Of(Folder, []), Transport.Plain, Deadline);
        var idle = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 1000; i++)
                idle.Add(await ConnectAsync(server));
            using var person = await ConnectAsync(server);
            await using var stream = new PbmStream(person.GetStream());
            await stream.WriteAsync(TestService.Hello, Deadline);
            Assert.IsType<PbmMessage.Hello>(await stream.ReadAsync(Deadline));
            await stream.WriteAsync(new PbmMessage.AskCatalogue(), Deadline);
            Assert.IsType<PbmMessage.Catalogue>(await stream.ReadAsync(Deadline));

            // Each was given up for the next one: the newest 64 may still be there.
            foreach (var client in idle.Take(idle.Count - PbmLimits.Default.Connections))
                Assert.True(await IsClosedAsync(client));
        }
        finally
        {
            idle.ForEach(c => c.Dispose());
        }
    }

    private static async Task<TcpClient> ConnectAsync(PbmServer server)
    {
        var client = new TcpClient();
        await client.ConnectAsync(server.Endpoint.Host, server.Endpoint.Port, Deadline);
        return client;
    }

    private static async Task<bool> IsClosedAsync(TcpClient client)
    {
        try
        {
            return await client.GetStream().ReadAsync(new byte[1], Deadline) == 0;
        }
        catch (IOException)
        {
            return true;                                                 // reset
        }
    }
}
