using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class SetFetchTests : TemporaryFolder
{
    private static readonly byte[][] Chunks = [.. Enumerable.Range(0, 24).Select(i => Bytes(5_000 + i, i))];
    private static readonly long Elements = Chunks.Length * (long)VectorManifest.ChunkElements;
    private static readonly VectorSet Set = new(new Dictionary<string, VectorManifest>
    {
        [VectorSet.Parameters] = new(Elements, [.. Chunks.Select(c => Digest.Of(c))]),
    });

    private static readonly Dictionary<string, byte[]> Blobs =
        Chunks.Append(Set.ToBytes()).ToDictionary(bytes => $"/blobs/{Digest.Of(bytes).Hex}");

    [Fact]
    public async Task A_set_comes_whole_even_when_no_peer_has_all_of_it()
    {
        var (first, _) = await ServeAsync(Folder, Chunks[..10]);
        await using var a = first;
        var (second, _) = await ServeAsync(Folder, [Set.ToBytes(), .. Chunks[8..20]]);
        await using var b = second;
        var (third, _) = await ServeAsync(Folder, Chunks[20..]);
        await using var c = third;
        using var fetcher = new BlobFetcher(PeersOf(Quick, first.Endpoint, second.Endpoint, third.Endpoint), Transport.Plain);
        var store = new BlobStore(Path.Combine(Folder, "mine"));

        await fetcher.FetchSetAsync(store, Set.Digest, Elements, 0, Deadline);
        Assert.True(store.IsWhole(Set.Digest));
    }

    [Fact]
    public async Task The_frozen_parameters_of_a_set_come_with_it_once()
    {
        var frozen = new VectorSet(new Dictionary<string, VectorManifest>
        {
            [VectorSet.FrozenParameters] = new(2L * VectorManifest.ChunkElements, [.. Chunks[..2].Select(c => Digest.Of(c))]),
        });
        byte[] Version(int chunk)
        {
            var parameters = new VectorManifest(7, [Digest.Of(Chunks[chunk])]);
            return new VectorSet(
                new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters }, frozen.Digest).ToBytes();
        }
        var blobs = Chunks.Append(frozen.ToBytes()).Concat([Version(2), Version(3)]).ToDictionary(b => $"/blobs/{Digest.Of(b).Hex}");
        using var peer = new FakePeer(request => request.SendAsync(blobs[request.Path]));
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        var store = new BlobStore(Path.Combine(Folder, "mine"));

        // Of another model, it is refused before anything of it comes.
        var refused = await Assert.ThrowsAsync<InvalidDataException>(
            () => fetcher.FetchVectorAsync(store, Digest.Of(Version(2)), VectorSet.Parameters, 7, 9, Deadline));
        Assert.Contains("where this model has 9", refused.Message, StringComparison.Ordinal);

        await fetcher.FetchSetAsync(store, Digest.Of(Version(2)), 7, frozen[VectorSet.FrozenParameters].Elements, Deadline);
        Assert.True(store.IsWhole(Digest.Of(Version(2))));
        var before = peer.Requests.Count;
        Assert.Equal(frozen.Digest, await fetcher.FetchFrozenAsync(
            store, Digest.Of(Version(3)), 7, frozen[VectorSet.FrozenParameters].Elements, Deadline));
        await fetcher.FetchVectorAsync(
            store, Digest.Of(Version(3)), VectorSet.Parameters, 7, frozen[VectorSet.FrozenParameters].Elements, Deadline);
        Assert.True(store.IsWhole(Digest.Of(Version(3))));
        Assert.Equal(before + 2, peer.Requests.Count);                 // the set and its one chunk
    }

    // As an averaging does with contributions, each of which one node holds.
    [Fact]
    public async Task Who_had_a_set_is_asked_for_its_chunks_first_of_a_hundred_sets_too()
    {
        var sets = Enumerable.Range(0, 100).Select(i => (Set: Bytes(100, i), Chunk: Bytes(200, 1000 + i))).ToList();
        var held = Enumerable.Range(0, 4).Select(_ => new Dictionary<string, byte[]>()).ToList();
        foreach (var (i, (set, chunk)) in sets.Index())
            foreach (var bytes in new[] { set, chunk })
                held[i % held.Count].Add($"/blobs/{Digest.Of(bytes).Hex}", bytes);
        var peers = held.Select(blobs => new FakePeer(
            request => blobs.TryGetValue(request.Path, out var bytes) ? request.SendAsync(bytes) : request.RefuseAsync(404))).ToList();
        using var fetcher = new BlobFetcher(PeersOf(new TransferLimits(), [.. peers.Select(p => p.Endpoint)]), Transport.Plain);
        var store = new BlobStore(Path.Combine(Folder, "mine"));
        foreach (var (set, _) in sets)
            await fetcher.FetchOwnBytesAsync(store, Digest.Of(set), Deadline);
        var before = peers.Sum(p => p.Requests.Count);
        foreach (var (set, chunk) in sets)
            await fetcher.ReadAsync(Digest.Of(chunk), new byte[chunk.Length], Digest.Of(set), Deadline);
        Assert.Equal(before + sets.Count, peers.Sum(p => p.Requests.Count));
        peers.ForEach(p => p.Dispose());
    }

    [Fact]
    public async Task A_set_of_which_one_chunk_is_nowhere_is_lost_with_the_name_of_the_chunk()
    {
        var (server, _) = await ServeAsync(Folder, [Set.ToBytes(), .. Chunks[1..]]);
        await using var _ = server;
        using var fetcher = new BlobFetcher(PeersOf(Quick, server.Endpoint), Transport.Plain);
        var lost = await Assert.ThrowsAsync<BlobLostException>(
            () => fetcher.FetchSetAsync(new BlobStore(Path.Combine(Folder, "mine")), Set.Digest, Elements, 0, Deadline));
        Assert.Equal(Digest.Of(Chunks[0]), lost.Digest);
    }

    [Fact]
    public async Task A_set_of_another_model_is_refused_before_any_of_its_chunks_is_fetched()
    {
        using var peer = new FakePeer(request => request.SendAsync(Blobs[request.Path]));
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        var store = new BlobStore(Path.Combine(Folder, "mine"));
        var refused = await Assert.ThrowsAsync<InvalidDataException>(
            () => fetcher.FetchVectorAsync(store, Set.Digest, VectorSet.Parameters, 1000, 0, Deadline));
        Assert.Contains($"has {Elements} elements where this model has 1000", refused.Message, StringComparison.Ordinal);
        Assert.Single(peer.Requests);
    }

    [Fact]
    public async Task A_chunk_that_is_longer_than_a_chunk_can_be_is_not_stored()
    {
        using var peer = new FakePeer(request => request.SendAsync(new byte[VectorManifest.MostChunkBytes + 1]));
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        var lost = await Assert.ThrowsAsync<BlobLostException>(
            () => fetcher.FetchAsync(new BlobStore(Path.Combine(Folder, "mine")), [Digest.Of(Chunks[0])], Deadline));
        Assert.Contains($"has {VectorManifest.MostChunkBytes + 1} bytes, more than", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_store_has_is_not_fetched_and_what_is_damaged_there_is()
    {
        using var peer = new FakePeer(request => request.SendAsync(Blobs[request.Path]));
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        var earlier = new BlobStore(Folder);
        foreach (var chunk in Chunks[2..])
            earlier.Put(chunk);
        File.WriteAllBytes(earlier.PathOf(Digest.Of(Chunks[5])), new byte[Chunks[5].Length]);

        var store = new BlobStore(Folder);
        await fetcher.FetchSetAsync(store, Set.Digest, Elements, 0, Deadline);
        Assert.True(store.IsWhole(Set.Digest));
        Assert.Equal(
            new[] { Set.Digest, Digest.Of(Chunks[0]), Digest.Of(Chunks[1]), Digest.Of(Chunks[5]) }.Select(d => $"/blobs/{d.Hex}").Order(),
            peer.Requests.Select(r => r.Path).Order());
    }

    [Fact]
    public async Task Peers_share_the_work_and_none_is_asked_for_more_than_four_blobs_at_once()
    {
        // Nobody gets an answer for a chunk before as many are asked for as may be: 4 from each peer.
        var running = new ConcurrentDictionary<string, int>();
        var most = new ConcurrentDictionary<string, int>();
        var all = new TaskCompletionSource();
        var gate = new Lock();
        FakePeer Peer(string name) => new(async request =>
        {
            if (request.Path != $"/blobs/{Set.Digest.Hex}")
            {
                lock (gate)
                {
                    running[name] = running.GetValueOrDefault(name) + 1;
                    most[name] = Math.Max(most.GetValueOrDefault(name), running[name]);
                    if (running.Values.Sum() == 8)
                        all.TrySetResult();
                }

                await all.Task;
                lock (gate)
                    running[name]--;
            }

            await request.SendAsync(Blobs[request.Path]);
        });
        using var first = Peer("first");
        using var second = Peer("second");
        using var fetcher = new BlobFetcher(PeersOf(new TransferLimits(), first.Endpoint, second.Endpoint), Transport.Plain);
        var store = new BlobStore(Folder);

        await fetcher.FetchSetAsync(store, Set.Digest, Elements, 0, Deadline);
        Assert.True(store.IsWhole(Set.Digest));
        Assert.Equal(4, most["first"]);
        Assert.Equal(4, most["second"]);
    }
}
