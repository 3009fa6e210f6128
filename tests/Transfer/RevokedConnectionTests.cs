using System.Collections.Concurrent;
using System.Text;
using Elastic.Foundation.Certificates;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

/// <summary>Whoever loses its certificate loses its connections to the data plane, too, below which Kestrel has the socket.</summary>
public sealed class RevokedConnectionTests : TemporaryFolder
{
    private static readonly byte[] Blob = Bytes(1000);

    [Fact]
    public async Task An_open_connection_to_the_data_plane_ends_with_its_certificate_and_a_new_one_is_refused_with_its_address()
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        using var seed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        var (files, others) = (authority.Issue("w1", Role.Worker), authority.Issue("w2", Role.Worker));
        using var revoked = Credentials.OfNode(files, TimeProvider.System);
        using var kept = Credentials.OfNode(others, TimeProvider.System);
        var said = new ConcurrentQueue<string>();
        seed.Say = said.Enqueue;
        var store = new BlobStore(Path.Combine(Folder, "store"));
        var digest = store.Put(Blob);
        var locations = new BlobLocations();
        locations.Add(store);
        await using var server = await DataServer.StartAsync(
            "127.0.0.1", 0, locations, new LivenessConnections(), TlsTransport.BetweenNodes(seed), Deadline);
        using var open = await TlsTransport.BetweenNodes(revoked).ConnectAsync(server.Endpoint, Deadline);
        using var other = await TlsTransport.BetweenNodes(kept).ConnectAsync(server.Endpoint, Deadline);
        await AskAsync(open.Stream);
        await AskAsync(other.Stream);

        seed.Take(authority.Revoke(files));
        // Kestrel itself keeps an idle connection for minutes.
        Assert.Equal(0, await EndAsync(open.Stream));
        await AskAsync(other.Stream);

        try
        {
            using var again = await TlsTransport.BetweenNodes(revoked).ConnectAsync(server.Endpoint, Deadline);
            Assert.Equal(0, await EndAsync(again.Stream));
        }
        catch (IOException)
        {
            // The server has hung up before the handshake was done here.
        }

        await EventuallyAsync(
            () => said.Any(s => s.Contains("which was revoked (from 127.0.0.1:", StringComparison.Ordinal)), "said with its address");

        async Task AskAsync(Stream stream)
        {
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes($"GET /blobs/{digest.Hex} HTTP/1.1\r\nHost: {server.Endpoint}\r\n\r\n"), Deadline);
            var (text, bytes) = ("", new byte[4096]);
            while (!text.Contains("\r\n\r\n", StringComparison.Ordinal)
                || text.Length < text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4 + Blob.Length)
            {
                var read = await stream.ReadAsync(bytes, Deadline);
                Assert.NotEqual(0, read);
                text += Encoding.Latin1.GetString(bytes, 0, read);
            }

            Assert.StartsWith("HTTP/1.1 200", text, StringComparison.Ordinal);
        }
    }

    private static async Task<int> EndAsync(Stream stream)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], Deadline);
        }
        catch (IOException)
        {
            return 0;                                                  // reset, which is an end, too
        }
    }
}
