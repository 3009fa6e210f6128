using Elastic.Actors.Blobs;
using Elastic.Actors.Tests.Blobs;
using Elastic.Actors.Transfer;
using Elastic.Messages;
using static Elastic.Actors.Tests.Transfer.TransferSamples;

namespace Elastic.Actors.Tests.Transfer;

public sealed class BlobFetcherTests : TemporaryFolder
{
    private static readonly byte[] Blob = Bytes(3_000_000);
    private static readonly Digest Name = Digest.Of(Blob);

    [Fact]
    public async Task What_nobody_has_is_lost_and_the_error_names_the_donors_and_what_each_said()
    {
        var (server, _) = await ServeAsync(Folder);
        await using var __ = server;
        using var broken = new FakeDonor(request => request.RefuseAsync(500));
        using var fetcher = new BlobFetcher(DonorsOf(Quick, server.Endpoint, broken.Endpoint, "127.0.0.1:1"));

        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, new byte[Blob.Length], Deadline));
        Assert.Equal(Name, lost.Digest);
        Assert.Contains($"{server.Endpoint}: does not have it", lost.Message, StringComparison.Ordinal);
        Assert.Contains($"{broken.Endpoint}: answered 500", lost.Message, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1: Connection refused", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_donors_the_error_says_so()
    {
        using var fetcher = new BlobFetcher(new Donors(Quick));
        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.ReadAsync(Name, 100, Deadline));
        Assert.EndsWith("no donor is known", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_blob_comes_into_memory_an_array_and_a_store()
    {
        var (server, _) = await ServeAsync(Folder, Blob, []);
        await using var __ = server;
        using var fetcher = new BlobFetcher(DonorsOf(Quick, server.Endpoint));
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
    public async Task A_blob_longer_than_expected_is_refused_without_a_grudge_against_the_donor()
    {
        var (server, _) = await ServeAsync(Folder, Blob);
        await using var __ = server;
        using var fetcher = new BlobFetcher(DonorsOf(Quick, server.Endpoint));

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
    public async Task A_download_goes_on_at_another_donor_at_the_byte_where_one_died(int died)
    {
        using var dying = FakeDonor.Of(Blob, most: died);
        using var other = FakeDonor.Of(Blob);
        var donors = DonorsOf(Quick, dying.Endpoint);
        using var fetcher = new BlobFetcher(donors);

        var memory = new byte[Blob.Length];
        var reading = fetcher.ReadAsync(Name, memory, Deadline);
        await EventuallyAsync(() => !dying.Requests.IsEmpty, "the first donor is asked");
        donors.Set([dying.Endpoint, other.Endpoint]);
        await reading;

        Assert.Equal(Blob, memory);
        Assert.Null(dying.Requests.First().From);
        // The dying one may have been asked again meanwhile, and have given as much again.
        var here = died * dying.Requests.Count;
        if (here < Blob.Length)
            Assert.Equal(here == 0 ? null : here, Assert.Single(other.Requests).From);
    }

    [Fact]
    public async Task A_donor_that_stalls_is_left_for_another_one()
    {
        using var stalling = new FakeDonor(async request =>
        {
            await request.SendAsync(Blob, most: 100_000);
            await Task.Delay(Timeout.Infinite, request.Stop);
        });
        using var other = FakeDonor.Of(Blob);
        var donors = DonorsOf(Quick with { Stall = TimeSpan.FromMilliseconds(200) }, stalling.Endpoint);
        using var fetcher = new BlobFetcher(donors);

        var memory = new byte[Blob.Length];
        var reading = fetcher.ReadAsync(Name, memory, Deadline);
        await EventuallyAsync(() => !stalling.Requests.IsEmpty, "the first donor is asked");
        donors.Set([stalling.Endpoint, other.Endpoint]);
        await reading;

        Assert.Equal(Blob, memory);
        Assert.Equal(100_000 * stalling.Requests.Count, Assert.Single(other.Requests).From);
    }

    [Fact]
    public async Task A_donor_that_lies_is_found_out_and_not_asked_again_and_its_bytes_reach_no_store()
    {
        byte[] wrong = [.. Blob];
        wrong[1_000_000] ^= 1;
        using var liar = FakeDonor.Of(wrong);
        using var honest = FakeDonor.Of(Blob);
        var donors = DonorsOf(Quick, liar.Endpoint);
        using var fetcher = new BlobFetcher(donors);
        var store = new BlobStore(Folder);

        var lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.FetchAsync(store, [Name], Deadline));
        Assert.Contains($"{liar.Endpoint}: sent bytes that do not give the digest", lost.Message, StringComparison.Ordinal);
        Assert.False(store.Has(Name));
        Assert.Empty(Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories));

        lost = await Assert.ThrowsAsync<BlobLostException>(() => fetcher.FetchAsync(store, [Name], Deadline));
        Assert.Contains($"{liar.Endpoint}: not asked, because it sent wrong bytes", lost.Message, StringComparison.Ordinal);
        donors.Set([liar.Endpoint, honest.Endpoint]);
        await fetcher.FetchAsync(store, [Name], Deadline);
        Assert.Equal(Blob, store.Read(Name));
        Assert.Single(liar.Requests);
    }

    [Fact]
    public async Task When_the_bytes_of_two_donors_are_wrong_together_the_whole_comes_from_one()
    {
        byte[] wrong = [.. Blob];
        wrong[10] ^= 1;
        using var liar = FakeDonor.Of(wrong, most: 500_000);
        using var honest = FakeDonor.Of(Blob);
        var donors = DonorsOf(Quick, liar.Endpoint);
        using var fetcher = new BlobFetcher(donors);

        var memory = new byte[Blob.Length];
        var reading = fetcher.ReadAsync(Name, memory, Deadline);
        await EventuallyAsync(() => !liar.Requests.IsEmpty, "the liar is asked");
        donors.Set([liar.Endpoint, honest.Endpoint]);
        await reading;

        Assert.Equal(Blob, memory);
        Assert.Equal(500_000 * liar.Requests.Count(r => r.From > 0) + 500_000, honest.Requests.First().From);
        Assert.Null(honest.Requests.Last().From);
    }
}
