using System.Net.Sockets;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary>Clients that connect to pbm's port and say nothing.</summary>
public sealed class IdleClientsTests : TemporaryFolder
{
    private static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    private string Log => File.ReadAllText(Path.Combine(Folder, CommandLog.FileName));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_thousand_of_them_keep_nobody_out_and_give_way_to_each_other_and_the_log_says_so(bool certified)
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        using var ofSeed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var ofPerson = Credentials.OfPerson(authority.Issue("ann", Role.Admin), TimeProvider.System);
        await using var server = await StartAsync(PbmLimits.Default, certified ? TlsTransport.ForPbm(ofSeed) : Transport.Plain);
        var idle = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 1000; i++)
                idle.Add(await ConnectAsync(server));
            using var person =
                await (certified ? TlsTransport.ForPbm(ofPerson) : Transport.Plain).ConnectAsync(server.Endpoint, Deadline);
            await using var stream = new PbmStream(person.Stream);
            await stream.WriteAsync(certified ? TestService.Hello with { Token = null } : TestService.Hello, Deadline);
            Assert.IsType<PbmMessage.Hello>(await stream.ReadAsync(Deadline));
            await stream.WriteAsync(new PbmMessage.AskCatalogue(), Deadline);
            Assert.IsType<PbmMessage.Catalogue>(await stream.ReadAsync(Deadline));

            // Each was given up for the next one: the newest 64 may still be there.
            foreach (var client in idle.Take(idle.Count - PbmLimits.Default.Connections))
                Assert.True(await IsClosedAsync(client));
            Assert.Contains("it asked for nothing, and another client wanted one of the 64 places", Log, StringComparison.Ordinal);
        }
        finally
        {
            idle.ForEach(c => c.Dispose());
        }
    }

    [Fact]
    public async Task One_that_does_not_say_hello_is_given_up_and_the_log_says_so()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Handshake = TimeSpan.FromMilliseconds(100) }, Transport.Plain);
        using var client = await ConnectAsync(server);
        Assert.True(await IsClosedAsync(client));
        Assert.Contains("it said nothing within 0.1 s", Log, StringComparison.Ordinal);
    }

    private Task<PbmServer> StartAsync(PbmLimits limits, Transport transport)
    {
        var service = TestService.Of(Folder, [], limits);
        return PbmServer.StartAsync(
            "127.0.0.1", 0, transport.Credentials is null ? service : service with { Token = null }, transport, Deadline);
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
