using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Lists of files that a node makes for builds of other nodes.</summary>
public sealed class FileListingsTests : TemporaryFolder
{
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Fact]
    public async Task A_disk_that_takes_no_list_is_the_answer_and_the_next_list_is_made()
    {
        var (context, source) = Node();
        var listings = new FileListings(context, TimeProvider.System);
        File.WriteAllText(context.Paths.Builds, "in the way of the folder, as a disk is that is full");
        Assert.Contains(context.Paths.Builds, (await AnswerAsync(listings, source)).Why, StringComparison.Ordinal);
        File.Delete(context.Paths.Builds);
        Assert.NotNull((await AnswerAsync(listings, source)).Listing);
    }

    [Fact]
    public async Task A_file_that_was_read_for_a_list_is_not_read_again_to_be_served()
    {
        var (context, source) = Node();
        var digest = Digest.Of(File.ReadAllBytes(source));
        var answer = await AnswerAsync(new FileListings(context, TimeProvider.System), source);
        var listing = NodeListing.Read(File.ReadAllBytes((await context.Blobs.FindAsync(answer.Listing!.Value, _deadline))!));
        Assert.Equal(digest.Hex, Assert.Single(listing.Files).Sha256);

        // A reading would find other bytes; who fetches the file looks at them all.
        var written = File.GetLastWriteTimeUtc(source);
        File.WriteAllText(source, "txet");
        File.SetLastWriteTimeUtc(source, written);
        Assert.Equal(source, await context.Blobs.FindAsync(digest, _deadline));
        File.SetLastWriteTimeUtc(source, written.AddSeconds(1));
        Assert.Null(await context.Blobs.FindAsync(digest, _deadline));
    }

    [Fact]
    public async Task A_pipe_among_the_files_is_named_and_not_waited_for()
    {
        var (context, source) = Node();
        var folder = Path.GetDirectoryName(source)!;
        using (var make = System.Diagnostics.Process.Start("mkfifo", [Path.Combine(folder, "pipe.txt")]))
            make.WaitForExit();
        var listing = NodeListing.Take(folder, context.CorpusRoots, (_, _, _) => { }, _deadline);
        Assert.Equal("a.txt", Assert.Single(listing.Files).Name);
        Assert.Equal(
            "pipe.txt cannot be read (pipe.txt is a pipe, a socket or a device: name a regular file)", Assert.Single(listing.Unread));
    }

    private (NodeContext Context, string Source) Node()
    {
        var root = RealPath.Of(Folder);
        var source = Path.Combine(Directory.CreateDirectory(Path.Combine(root, "sources")).FullName, "a.txt");
        File.WriteAllText(source, "text");
        // Nothing is fetched.
        var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        return (LoneNode.Of(new DataPaths(root), fetcher) with { CorpusRoots = [Path.GetDirectoryName(source)!] }, source);
    }

    // Asked again until there is an answer, as builds do.
    private async Task<NodeReport.FilesListed> AnswerAsync(FileListings listings, string path)
    {
        while (true)
        {
            if (listings.Answer(new NodeNews.ListFiles("1", path, "a list")) is { } answer
                && (answer.Why is not null || answer.Listing is not null))
                return answer;
            await Task.Delay(1, _deadline);
        }
    }
}
