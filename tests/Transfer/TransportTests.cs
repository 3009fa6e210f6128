using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

/// <summary>Everything on the data plane that has a socket asks the process's transport for it.</summary>
public sealed class TransportTests : TemporaryFolder
{
    private static readonly byte[] Blob = Bytes(3 << 20);
    private static readonly Digest Name = Digest.Of(Blob);

    private readonly ScrambledTransport _scrambled = new();
    private readonly LivenessConnections _connections = new();
    private readonly ConcurrentQueue<string> _events = [];

    [Fact]
    public async Task Blobs_come_through_it_and_are_not_understood_by_who_has_another()
    {
        await using var server = await ServeAsync(_scrambled.Transport);
        using var fetcher = new BlobFetcher(PeersOf(Quick, server.Endpoint), _scrambled.Transport);
        var bytes = new byte[Blob.Length];
        await fetcher.ReadAsync(Name, bytes, Deadline);
        Assert.Equal(Blob, bytes);
        var path = Path.Combine(Folder, "file");
        await fetcher.FetchFileAsync(Name, path, long.MaxValue, Deadline);
        Assert.Equal(Blob, await File.ReadAllBytesAsync(path, Deadline));
        Assert.True(_scrambled.Opened > 0);
        Assert.Equal(_scrambled.Opened, _scrambled.Accepted);

        using var stranger = new BlobFetcher(PeersOf(Quick, server.Endpoint), Transport.Plain);
        await Assert.ThrowsAsync<BlobLostException>(() => stranger.ReadAsync(Name, bytes, Deadline));
    }

    [Fact]
    public async Task The_liveness_connection_comes_through_it_and_is_missed_when_it_breaks()
    {
        await using (var server = await ServeAsync(_scrambled.Transport))
        {
            using var listening = Listen();
            await using var liveness = new LivenessConnection(new NodeId("n"), "i", _scrambled.Transport);
            liveness.PointTo(server.Endpoint);
            await EventuallyAsync(() => _events.SequenceEqual(["+n"]), "connected");
            Assert.Equal((1, 1), (_scrambled.Opened, _scrambled.Accepted));
            liveness.PointTo(null);
            await EventuallyAsync(() => _events.SequenceEqual(["+n", "-n: the node ended it"]), "ended");
        }
    }

    [Fact]
    public async Task A_server_answers_on_when_a_client_is_not_let_in_or_its_handshake_fails()
    {
        var strict = true;
        await using var server = await ServeAsync(Transport.Plain with
        {
            AsServerAsync = (stream, _) =>
                Volatile.Read(ref strict) ? throw new IOException("no certificate") : ValueTask.FromResult(stream),
        });
        using var fetcher = new BlobFetcher(PeersOf(Quick, server.Endpoint), Transport.Plain);
        var bytes = new byte[Blob.Length];
        await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, bytes, Deadline));
        Volatile.Write(ref strict, false);
        await fetcher.ReadAsync(Name, bytes, Deadline);
        Assert.Equal(Blob, bytes);
    }

    [Fact]
    public async Task Who_is_not_whom_the_transport_looks_for_gets_no_request_and_is_named()
    {
        await using var server = await ServeAsync(Transport.Plain);
        using var fetcher = new BlobFetcher(PeersOf(Quick, server.Endpoint), Transport.Plain with
        {
            AsClientAsync = (_, endpoint, _) => throw new IOException($"the certificate is not that of {endpoint}"),
        });
        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, new byte[Blob.Length], Deadline));
        Assert.Contains($"{server.Endpoint}: ", lost.Message, StringComparison.Ordinal);
    }

    private IDisposable Listen() =>
        _connections.Listen((node, _) => _events.Enqueue($"+{node}"), (node, _, why) => _events.Enqueue($"-{node}: {why}"));

    private Task<DataServer> ServeAsync(Transport transport)
    {
        var store = new BlobStore(Path.Combine(Folder, Guid.NewGuid().ToString("N")));
        store.Put(Blob);
        var locations = new BlobLocations();
        locations.Add(store);
        return DataServer.StartAsync("127.0.0.1", 0, locations, _connections, transport, Deadline);
    }
}
