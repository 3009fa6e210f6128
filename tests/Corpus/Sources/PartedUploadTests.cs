using System.Net.Sockets;
using System.Security.Cryptography;
using Elastic.Foundation;
using Elastic.ObjectStore;
using Elastic.Testing;

namespace Elastic.Corpus.Tests.Sources;

/// <summary>Files that are too long for one request to an S3-compatible store.</summary>
public sealed class PartedUploadTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private SmallObjectStore _store = null!;

    public async ValueTask InitializeAsync() => _store = await SmallObjectStore.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(1000, 1)]
    [InlineData(1001, 4)]
    [InlineData(9999, 12)]
    public async Task A_file_is_stored_whole_in_as_many_requests_as_its_length_wants(int bytes, int requests)
    {
        var content = RandomNumberGenerator.GetBytes(bytes);
        await PutAsync(content);
        Assert.Equal(content, _store.Objects["books/a b/é.bin"]);
        Assert.Equal((requests, 0), (_store.Asked.Count, _store.OpenUploads));
        using var bucket = Bucket();
        var found = await bucket.FindAsync("a b/é.bin", null, TestContext.Current.CancellationToken);
        await bucket.FetchAsync(found, null, _folder["back"], TestContext.Current.CancellationToken);
        Assert.Equal(content, File.ReadAllBytes(_folder["back"]));
    }

    [Fact]
    public async Task A_part_that_fails_is_sent_again_and_no_other_one()
    {
        var content = RandomNumberGenerator.GetBytes(4500);
        foreach (var status in new[] { 503, 500 })
            _store.Failures.Enqueue(status);
        _store.Before = asked =>
        {
            if (asked.StartsWith("PUT", StringComparison.Ordinal) && Interlocked.Increment(ref _puts) == 3)
                _store.Failures.Enqueue(503);
        };
        await PutAsync(content);
        Assert.Equal(content, _store.Objects["books/a b/é.bin"]);
        // Begun three times, five parts and one of them twice, joined once.
        Assert.Equal((3 + 6 + 1, 0), (_store.Asked.Count, _store.OpenUploads));
    }

    [Fact]
    public async Task An_upload_that_cannot_end_is_forgotten_by_the_store_and_names_bucket_key_and_remedy()
    {
        _store.Objects["books/a b/é.bin"] = [1];
        _store.Before = asked =>
        {
            if (asked.StartsWith("PUT", StringComparison.Ordinal))
                _store.Failures.Enqueue(403);
        };
        var error = await Assert.ThrowsAsync<ObjectStoreException>(() => PutAsync(new byte[3000]));
        Assert.Matches(
            "^s3://books/a b/é.bin cannot be stored \\(part [123]\\): the store answered 403 Failure: "
            + "these credentials may not do that there$",
            error.Message);
        Assert.Equal([1], _store.Objects["books/a b/é.bin"]);
        Assert.Equal((0, 1), (_store.OpenUploads, _store.Objects.Count));
    }

    [Fact]
    public async Task An_upload_whose_last_answer_was_lost_is_whole_and_an_object_of_somebody_else_is_not_it()
    {
        var content = RandomNumberGenerator.GetBytes(2500);
        _store.LosesJoins = 1;
        await PutAsync(content);
        Assert.Equal(content, _store.Objects["books/a b/é.bin"]);

        // Of the same bytes even: what is there was stored by another upload.
        _store.LosesJoins = 1;
        _store.Before = asked =>
        {
            if (asked.StartsWith("HEAD", StringComparison.Ordinal))
                _store.Objects["books/a b/é.bin"] = [.. content];
        };
        var error = await Assert.ThrowsAsync<ObjectStoreException>(() => PutAsync(content));
        Assert.Contains("it has forgotten the parts that it had", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_more_kept_goes_with_its_record_and_its_part()
    {
        var place = new ObjectFolder(_folder["place"]);
        foreach (var name in new[] { "a.txt", "b.txt", "c.txt" })
        {
            var found = new StoredObject($"in/{name}", 1, "tag");
            File.WriteAllText(place.PartOf(found), name);
            if (name != "c.txt")
                place.Keep(name, found, Digest.Of("x"u8), place.PartOf(found));
        }
        Assert.Equal(5, FilesIn("place").Count);
        place.Retain([KeyValuePair.Create("a.txt", new StoredObject("in/a.txt", 1, "tag"))]);
        Assert.Equal(["a.txt"], FilesIn("place/files").Select(Path.GetFileName));
        Assert.Single(FilesIn("place/records"));
        Assert.Equal(2, FilesIn("place").Count);
        place.Forget("a.txt", new StoredObject("in/a.txt", 1, "tag"));
        Assert.Empty(FilesIn("place"));
    }

    private List<string> FilesIn(string name) => [.. Directory.EnumerateFiles(_folder[name], "*", SearchOption.AllDirectories)];

    [Fact]
    public async Task A_file_that_cannot_be_opened_is_the_machine_s_affair_and_is_not_tried_again()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_folder["socket"]));  // is there, and open() says ENXIO
        using var bucket = Bucket();
        await Assert.ThrowsAnyAsync<IOException>(
            () => bucket.PutAsync("a", _folder["socket"], TestContext.Current.CancellationToken));
        Assert.Empty(_store.Asked);
    }

    private int _puts;

    private async Task PutAsync(byte[] content)
    {
        using var bucket = Bucket();
        await bucket.PutAsync("a b/é.bin", _folder.Write("file", content), TestContext.Current.CancellationToken);
    }

    private S3Bucket Bucket() => new(S3Address.Parse(_store["books"], out _)!)
    {
        PartBytes = 1000,
        Pause = new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)),
    };
}
