using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class BlobFetcherTests : TemporaryFolder
{
    private static readonly byte[] Blob = Bytes(3_000_000);
    private static readonly Digest Name = Digest.Of(Blob);

    [Fact]
    public async Task What_nobody_has_is_lost_and_the_error_names_the_peers_and_what_each_said()
    {
        var (server, _) = await ServeAsync(Folder);
        await using var __ = server;
        using var broken = new FakePeer(request => request.RefuseAsync(500));
        using var fetcher = new BlobFetcher(
            PeersOf(Quick, server.Endpoint, broken.Endpoint, new Endpoint("127.0.0.1", 1)), Transport.Plain);

        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, new byte[Blob.Length], Deadline));
        Assert.Equal(Name, lost.Digest);
        Assert.Contains($"{server.Endpoint}: does not have it", lost.Message, StringComparison.Ordinal);
        Assert.Contains($"{broken.Endpoint}: answered 500", lost.Message, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1: Connection refused", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_peers_the_error_says_so()
    {
        using var fetcher = new BlobFetcher(new Peers(Quick), Transport.Plain);
        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, 100, Deadline));
        Assert.EndsWith("no peer is known", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_blob_comes_into_memory_an_array_and_a_store()
    {
        var (server, _) = await ServeAsync(Folder, Blob, []);
        await using var __ = server;
        using var fetcher = new BlobFetcher(PeersOf(Quick, server.Endpoint), Transport.Plain);
        var store = new BlobStore(Path.Combine(Folder, "mine"));

        var memory = new byte[Blob.Length];
        await fetcher.ReadAsync(Name, memory, Deadline);
        Assert.Equal(Blob, memory);
        Assert.Equal(Blob, await fetcher.ReadAsync(Name, Blob.Length, Deadline));
        Assert.Empty(await fetcher.ReadAsync(Digest.Of([]), 0, Deadline));
        await fetcher.FetchAsync(store, [Name, Digest.Of([]), Name], Deadline);
        Assert.Equal(Blob, store.Read(Name));
        Assert.Empty(store.Read(Digest.Of([])));
    }

    [Fact]
    public async Task A_blob_longer_than_expected_is_refused_without_a_grudge_against_the_peer()
    {
        var (server, _) = await ServeAsync(Folder, Blob);
        await using var __ = server;
        using var fetcher = new BlobFetcher(PeersOf(Quick, server.Endpoint), Transport.Plain);

        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, 1000, Deadline));
        Assert.Contains("has 3000000 bytes, more than 1000", lost.Message, StringComparison.Ordinal);
        lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, new byte[999], Deadline));
        Assert.Contains("has 3000000 bytes instead of 999", lost.Message, StringComparison.Ordinal);
        Assert.Equal(Blob, await fetcher.ReadAsync(Name, Blob.Length, Deadline));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_234_567)]
    [InlineData(2_999_999)]
    public async Task A_download_goes_on_at_another_peer_at_the_byte_where_one_died(int died)
    {
        var die = new TaskCompletionSource();
        using var dying = new FakePeer(async request =>
        {
            await request.SendAsync(Blob, died);
            await die.Task;
        });
        using var other = FakePeer.Of(Blob);
        var peers = PeersOf(Quick, dying.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var memory = new byte[Blob.Length];
        var reading = fetcher.ReadAsync(Name, memory, Deadline);
        await EventuallyAsync(() => !dying.Requests.IsEmpty, "the first peer is asked");
        peers.Set([dying.Endpoint, other.Endpoint]);
        die.SetResult();
        await reading;

        Assert.Equal(Blob, memory);
        Assert.Null(Assert.Single(dying.Requests).From);
        Assert.Equal(died == 0 ? null : died, Assert.Single(other.Requests).From);
    }

    [Fact]
    public async Task A_peer_that_stalls_is_left_for_another_one()
    {
        using var stalling = new FakePeer(async request =>
        {
            await request.SendAsync(Blob, most: 100_000);
            await Task.Delay(Timeout.Infinite, request.Stop);
        });
        using var other = FakePeer.Of(Blob);
        var peers = PeersOf(Quick with { Stall = TimeSpan.FromSeconds(3) }, stalling.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var memory = new byte[Blob.Length];
        var reading = fetcher.ReadAsync(Name, memory, Deadline);
        await EventuallyAsync(() => !stalling.Requests.IsEmpty, "the first peer is asked");
        peers.Set([stalling.Endpoint, other.Endpoint]);
        await reading;

        Assert.Equal(Blob, memory);
        Assert.Single(stalling.Requests);
        Assert.Equal(100_000, Assert.Single(other.Requests).From);
    }

    [Fact]
    public async Task A_peer_that_is_silent_and_leaves_is_not_waited_for_as_long_as_one_that_stays()
    {
        using var stalling = new FakePeer(async request =>
        {
            await request.SendAsync(Blob, most: 100_000);
            await Task.Delay(Timeout.Infinite, request.Stop);
        });
        using var other = FakePeer.Of(Blob);
        var peers = PeersOf(Quick with { Stall = Timeout.InfiniteTimeSpan }, stalling.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var reading = fetcher.ReadAsync(Name, Blob.Length, Deadline);
        await EventuallyAsync(() => !stalling.Requests.IsEmpty, "the first peer is asked");
        peers.Set([other.Endpoint]);
        Assert.Equal(Blob, await reading);
        Assert.Single(other.Requests);
    }

    [Fact]
    public async Task A_peer_that_leaves_while_it_sends_may_go_on()
    {
        var left = new TaskCompletionSource();
        using var leaving = new FakePeer(async request =>
        {
            await request.HeadAsync(200, $"Content-Length: {Blob.Length}\r\n");
            await left.Task;
            await request.Stream.WriteAsync(Blob);
        });
        var peers = PeersOf(Quick with { StallAfterLeaving = TimeSpan.FromSeconds(20) }, leaving.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var reading = fetcher.ReadAsync(Name, Blob.Length, Deadline);
        await EventuallyAsync(() => !leaving.Requests.IsEmpty, "the peer is asked");
        peers.Set([]);
        left.SetResult();
        Assert.Equal(Blob, await reading);
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_at_all_is_named_as_such()
    {
        using var silent = new FakePeer(request => Task.Delay(Timeout.Infinite, request.Stop));
        using var fetcher = new BlobFetcher(
            PeersOf(Quick with { Stall = TimeSpan.FromMilliseconds(100) }, silent.Endpoint), Transport.Plain);
        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, 100, Deadline));
        Assert.Contains($"{silent.Endpoint}: no bytes for 0.1 s", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_that_joins_while_a_blob_is_sought_is_asked_at_once()
    {
        using var without = new FakePeer(request => request.RefuseAsync(404));
        using var with = FakePeer.Of(Blob);
        var peers = PeersOf(Quick with { Patience = TimeSpan.FromMinutes(1) }, without.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var reading = fetcher.ReadAsync(Name, Blob.Length, Deadline);
        await EventuallyAsync(() => !without.Requests.IsEmpty, "the first peer is asked");
        peers.Set([without.Endpoint, with.Endpoint]);
        Assert.Equal(Blob, await reading);
    }

    [Fact]
    public async Task A_peer_that_lies_is_found_out_and_not_asked_again_and_its_bytes_reach_no_store()
    {
        byte[] wrong = [.. Blob];
        wrong[1_000_000] ^= 1;
        using var liar = FakePeer.Of(wrong);
        using var honest = FakePeer.Of(Blob);
        var peers = PeersOf(Quick, liar.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);
        var store = new BlobStore(Folder);

        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.FetchAsync(store, [Name], Deadline));
        Assert.Contains($"{liar.Endpoint}: sent bytes that do not give the digest", lost.Message, StringComparison.Ordinal);
        Assert.False(store.Has(Name));
        Assert.Empty(Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories));

        lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.FetchAsync(store, [Name], Deadline));
        Assert.Contains($"{liar.Endpoint}: not asked, because it sent wrong bytes", lost.Message, StringComparison.Ordinal);
        peers.Set([liar.Endpoint, honest.Endpoint]);
        await fetcher.FetchAsync(store, [Name], Deadline);
        Assert.Equal(Blob, store.Read(Name));
        Assert.Single(liar.Requests);
    }

    [Fact]
    public async Task When_the_bytes_of_two_peers_are_wrong_together_the_whole_comes_from_one()
    {
        byte[] wrong = [.. Blob];
        wrong[10] ^= 1;
        var die = new TaskCompletionSource();
        using var liar = new FakePeer(async request =>
        {
            await request.SendAsync(wrong, 500_000);
            await die.Task;
        });
        using var honest = FakePeer.Of(Blob);
        var peers = PeersOf(Quick with { PutAway = new(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1)) }, liar.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var memory = new byte[Blob.Length];
        var reading = fetcher.ReadAsync(Name, memory, Deadline);
        await EventuallyAsync(() => !liar.Requests.IsEmpty, "the liar is asked");
        peers.Set([liar.Endpoint, honest.Endpoint]);
        die.SetResult();
        await reading;

        Assert.Equal(Blob, memory);
        Assert.Equal(500_000, honest.Requests.First().From);
        Assert.Null(honest.Requests.Last().From);
    }

    [Fact]
    public async Task A_peer_that_speaks_of_another_length_does_not_spoil_the_blob()
    {
        var die = new TaskCompletionSource();
        using var shorter = new FakePeer(async request =>
        {
            await request.SendAsync(Blob[..2_000_000], 500_000);
            await die.Task;
        });
        using var honest = FakePeer.Of(Blob);
        var peers = PeersOf(Quick, shorter.Endpoint);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);

        var reading = fetcher.ReadAsync(Name, Blob.Length, Deadline);
        await EventuallyAsync(() => !shorter.Requests.IsEmpty, "the first peer is asked");
        peers.Set([shorter.Endpoint, honest.Endpoint]);
        die.SetResult();
        Assert.Equal(Blob, await reading);
        Assert.Equal([500_000, null], honest.Requests.Select(r => r.From));
    }

    [Fact]
    public async Task Callers_who_want_one_blob_at_the_same_time_share_one_download()
    {
        var go = new TaskCompletionSource();
        using var peer = new FakePeer(async request =>
        {
            await go.Task;
            await request.SendAsync(Blob);
        });
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        var store = new BlobStore(Folder);

        var memories = Enumerable.Range(0, 3).Select(_ => new byte[Blob.Length]).ToList();
        var reads = memories.Select(memory => fetcher.ReadAsync(Name, memory, Deadline)).ToList();
        var fetches = Enumerable.Range(0, 3).Select(_ => fetcher.FetchAsync(store, [Name], Deadline)).ToList();
        await EventuallyAsync(() => peer.Requests.Count == 2, "one request for the memory and one for the store");
        go.SetResult();
        await Task.WhenAll([.. reads, .. fetches]);

        Assert.All(memories, memory => Assert.Equal(Blob, memory));
        Assert.Equal(Blob, store.Read(Name));
        Assert.Equal(2, peer.Requests.Count);
    }

    [Fact]
    public async Task When_the_caller_who_downloads_gives_up_another_one_goes_on()
    {
        var go = new TaskCompletionSource();
        using var peer = new FakePeer(async request =>
        {
            await go.Task;
            await request.SendAsync(Blob);
        });
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);

        using var impatient = new CancellationTokenSource();
        byte[] first = new byte[Blob.Length], second = new byte[Blob.Length];
        var given = fetcher.ReadAsync(Name, first, impatient.Token);
        var kept = fetcher.ReadAsync(Name, second, Deadline);
        await EventuallyAsync(() => !peer.Requests.IsEmpty, "the peer is asked");
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        go.SetResult();
        await kept;
        Assert.Equal(Blob, second);
        Assert.Equal(new byte[Blob.Length], first);
    }

    [Fact]
    public async Task A_fetch_that_everybody_gave_up_is_stopped_and_leaves_nothing()
    {
        using var stalling = new FakePeer(async request =>
        {
            await request.SendAsync(Blob, most: 1000);
            await Task.Delay(Timeout.Infinite, request.Stop);
        });
        using var fetcher = new BlobFetcher(PeersOf(Quick, stalling.Endpoint), Transport.Plain);
        var store = new BlobStore(Folder);

        using var impatient = new CancellationTokenSource();
        var fetch = fetcher.FetchAsync(store, [Name], impatient.Token);
        await EventuallyAsync(() => !stalling.Requests.IsEmpty, "the peer is asked");
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetch);
        Assert.Empty(Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories));
    }
}
