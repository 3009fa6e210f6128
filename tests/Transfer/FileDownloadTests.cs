using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class FileDownloadTests : TemporaryFolder
{
    private const int Piece = FileDownload.PieceBytes;

    private static readonly byte[] Shard = Bytes(2 * Piece + 1_000_003);
    private static readonly Digest Name = Digest.Of(Shard);

    private string Target => Path.Combine(Folder, "corpus", "shard-0.tokens");

    [Fact]
    public async Task A_file_comes_in_pieces_from_several_peers_and_nothing_else_stays()
    {
        var (first, _) = await ServeAsync(Folder, Shard);
        await using var a = first;
        var (second, _) = await ServeAsync(Folder, Shard);
        await using var b = second;
        using var fetcher = new BlobFetcher(PeersOf(Quick, first.Endpoint, second.Endpoint), Transport.Plain);

        await Task.WhenAll(
            fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline), fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline));
        Assert.Equal(Shard, await File.ReadAllBytesAsync(Target));
        Assert.Equal([Target], Directory.EnumerateFiles(Path.GetDirectoryName(Target)!));
    }

    [Fact]
    public async Task A_file_that_is_there_is_not_fetched_and_one_with_other_bytes_is_replaced()
    {
        using var peer = FakePeer.Of(Shard);
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        Directory.CreateDirectory(Path.GetDirectoryName(Target)!);
        await File.WriteAllBytesAsync(Target, Shard);
        await fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline);
        Assert.Empty(peer.Requests);

        await File.WriteAllBytesAsync(Target, Shard[..1000]);
        await fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline);
        Assert.Equal(Shard, await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task A_peer_that_names_more_bytes_than_the_file_can_have_is_not_believed()
    {
        using var peer = FakePeer.Of(Shard);
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        var lost = await Assert.ThrowsAsync<BlobLostException>(
            () => fetcher.FetchFileAsync(Name, Target, Shard.Length - 1, Deadline));
        Assert.Contains($"has {Shard.Length} bytes, more than {Shard.Length - 1}", lost.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Target));
        await fetcher.FetchFileAsync(Name, Target, Shard.Length, Deadline);
        Assert.True(File.Exists(Target));
    }

    [Fact]
    public async Task An_empty_file_is_a_file()
    {
        using var peer = FakePeer.Of([]);
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        await fetcher.FetchFileAsync(Digest.Of([]), Target, long.MaxValue, Deadline);
        Assert.Empty(await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task A_later_attempt_fetches_only_the_pieces_that_are_not_there()
    {
        var others = new CountdownEvent(2);
        var sent = new TaskCompletionSource();
        using (var partial = new FakePeer(async request =>
        {
            if (request.From == Piece)
            {
                await sent.Task;
                await request.RefuseAsync(500);
                return;
            }

            await request.SendAsync(Shard);
            if (request.Method == "GET" && others.Signal())
                sent.SetResult();
        }))
        // The other pieces are in the sockets.
        using (var failing = new BlobFetcher(PeersOf(Quick with { Patience = TimeSpan.FromSeconds(6) }, partial.Endpoint), Transport.Plain))
        {
            await Assert.ThrowsAsync<BlobLostException>(() => failing.FetchFileAsync(Name, Target, long.MaxValue, Deadline));
            Assert.False(File.Exists(Target));
        }

        using var whole = FakePeer.Of(Shard);
        using var fetcher = new BlobFetcher(PeersOf(Quick, whole.Endpoint), Transport.Plain);
        await fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline);
        Assert.Equal(Shard, await File.ReadAllBytesAsync(Target));
        Assert.Equal(Piece, Assert.Single(whole.Requests, r => r.Method == "GET").From);
    }

    [Fact]
    public async Task A_part_file_that_is_marked_complete_but_damaged_costs_time_only()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Target)!);
        await File.WriteAllBytesAsync($"{Target}.{Name.Short}.part", [.. new byte[Shard.Length], 1, 1, 1]);
        using var peer = FakePeer.Of(Shard);
        using var fetcher = new BlobFetcher(PeersOf(Quick, peer.Endpoint), Transport.Plain);
        await fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline);
        Assert.Equal(Shard, await File.ReadAllBytesAsync(Target));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task A_peer_that_lies_in_its_bytes_or_about_the_length_does_not_spoil_the_file(int longer)
    {
        var wrong = Bytes(Shard.Length + longer, seed: 2);
        using var liar = FakePeer.Of(wrong);
        using var honest = FakePeer.Of(Shard);
        using var fetcher = new BlobFetcher(PeersOf(Quick, liar.Endpoint, honest.Endpoint), Transport.Plain);
        await fetcher.FetchFileAsync(Name, Target, long.MaxValue, Deadline);
        Assert.Equal(Shard, await File.ReadAllBytesAsync(Target));
    }
}
