using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Tests.Pbm;

public sealed partial class PbmServerTests
{
    [Fact]
    public async Task Too_many_clients_are_told_so_and_a_place_that_becomes_free_is_given_away()
    {
        await using var server = await StartAsync(PbmLimits.Default with { Connections = 1 });
        var first = await ConnectAsync(server: server);
        await first.WriteAsync(new PbmMessage.Call("test", "wait", [], false), Deadline);
        Assert.IsType<PbmMessage.Line>(await first.ReadAsync(Deadline));
        await using (var second = await ConnectAsync(greet: false, server))
        {
            await second.WriteAsync(TestService.Hello, Deadline);
            Assert.Contains(
                "1 clients have a command running already",
                Assert.IsType<PbmMessage.End>(await second.ReadAsync(Deadline)).Error, StringComparison.Ordinal);
        }

        await first.DisposeAsync();
        // The server notices the hang-up in its own time.
        while (true)
        {
            Deadline.ThrowIfCancellationRequested();
            await using var third = await ConnectAsync(greet: false, server);
            try
            {
                await third.WriteAsync(TestService.Hello, Deadline);
                if (await third.ReadAsync(Deadline) is PbmMessage.Hello)
                    break;
            }
            catch (IOException)
            {
                // Of more than twice the limit it closes the connections without a word.
            }
        }
    }
}
