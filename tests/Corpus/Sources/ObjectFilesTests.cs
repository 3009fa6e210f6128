using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;
using Elastic.Corpus.Tests.Build;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Corpus.Tests.Sources;

/// <summary>Sources in an S3-compatible store.</summary>
public sealed class ObjectFilesTests : IAsyncLifetime
{
    private static readonly byte[] Long = Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Range(0, 500).Select(i => $"{{\"text\": \"line {i * 7919}\"}}\n")));

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];
    private SmallObjectStore _store = null!;

    public async ValueTask InitializeAsync() => _store = await SmallObjectStore.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_prefix_is_read_like_a_folder_of_the_same_files_and_fetched_once()
    {
        var files = new Dictionary<string, byte[]>
        {
            ["a.txt"] = "one"u8.ToArray(),
            ["deep/b.jsonl"] = Long,
            ["deep/c d+é.txt"] = "two"u8.ToArray(),
            ["drafts/d.txt"] = "no"u8.ToArray(),
        };
        foreach (var (name, bytes) in files)
        {
            _folder.Write($"in/{name}", bytes);
            _store.Objects[$"books/v1/{name}"] = bytes;
        }
        _store.Objects["books/v1/picture.png"] = [1];
        _store.Objects["books/v1/deep/"] = [];
        _store.Objects["books/v10/other.txt"] = "of another prefix"u8.ToArray();
        _store.PageKeys = 2;
        _folder.Write("in/picture.png", [1]);

        var (text, rejects) = await BuildAsync("books/v1", ("exclude[]", "drafts"));
        var local = Build(Manifests.OfSources([("name", "in"), ("paths[]", _folder["in"]), ("exclude[]", "drafts")]));
        Assert.Equal((502, local.Report.Read[0].Documents), (text.Report.Read[0].Documents, text.Report.Read[0].Documents));
        Assert.Equal(BytesOf(local), BytesOf(text));
        Assert.Equal(["source in: not read: 1 .png"], rejects);
        Assert.StartsWith("fetched 3 of 3 objects of s3://books/v1, ", Assert.Single(_notices), StringComparison.Ordinal);

        var asked = _store.Asked.Count(a => a.StartsWith("GET books/v1/", StringComparison.Ordinal));
        Assert.Equal(3, asked);                                         // neither picture nor drafts
        _store.Objects.Remove("books/v1/a.txt");
        _store.Objects["books/v1/deep/b.jsonl"] = "{\"text\": \"another\"}\n"u8.ToArray();
        (text, _) = await BuildAsync("books/v1", ("exclude[]", "drafts"));
        Assert.Equal(2, text.Report.Read[0].Documents);
        Assert.Equal(asked + 1, _store.Asked.Count(a => a.StartsWith("GET books/v1/", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("books/v1/*/b-*.txt", "b-1.txt b-2.txt")]
    [InlineData("books/v1/x/b-1.txt", "b-1.txt")]
    [InlineData("books/v1/x", "a.txt b-1.txt")]
    public async Task An_object_or_a_pattern_is_read_by_names_behind_what_is_fixed_of_it(string path, string names)
    {
        foreach (var key in new[] { "x/a.txt", "x/b-1.txt", "y/b-2.txt" })
            _store.Objects[$"books/v1/{key}"] = Encoding.UTF8.GetBytes(key);
        var (text, _) = await BuildAsync(path);
        Assert.Equal(names, string.Join(' ', text.Rows().Select(r => r.Name.Split('/')[^1].Split(':')[0])));
    }

    [Fact]
    public async Task Two_sources_of_one_prefix_have_what_each_of_them_reads()
    {
        _store.Objects["books/in/a.txt"] = "one"u8.ToArray();
        _store.Objects["books/in/b.txt"] = "two"u8.ToArray();
        var both = await GetAsync(Manifests.OfSources(
            [("name", "a"), ("paths[]", _store["books/in"]), ("include[]", "a.txt")],
            [("name", "b"), ("paths[]", _store["books/in"]), ("include[]", "b.txt")]));
        Assert.Equal(
            ["a.txt", "b.txt"], both.Sources.Select(s => Path.GetFileName(Assert.Single(Directory.GetFiles(Assert.Single(s.Paths))))));
    }

    [Fact]
    public async Task A_fetch_goes_on_where_it_broke_off_and_is_tried_so_often()
    {
        _store.Objects["books/a.jsonl"] = Long;
        _store.Breaks = (5000, 2);
        var (text, _) = await BuildAsync("books/a.jsonl");
        Assert.Equal(500, text.Report.Read[0].Documents);
        var last = Long.Length - 1;
        Assert.Equal(
            ["HEAD books/a.jsonl", $"GET books/a.jsonl bytes=0-{last}", $"GET books/a.jsonl bytes=5000-{last}",
                $"GET books/a.jsonl bytes=10000-{last}"], _store.Asked);

        _store.Objects["books/b.jsonl"] = Long;
        for (var i = 0; i < 5; i++)
            _store.Failures.Enqueue(503);
        var error = await Assert.ThrowsAnyAsync<ElasticException>(() => BuildAsync("books/b.jsonl"));
        Assert.Contains("s3://books/b.jsonl cannot be fetched: the store answered 503 Failure, also when asked 5 times", error.Message,
            StringComparison.Ordinal);
        await BuildAsync("books/b.jsonl");
    }

    [Fact]
    public async Task An_object_that_changes_in_the_middle_is_named_and_left_out_or_ends_the_build()
    {
        _store.Objects["books/in/a.txt"] = "one"u8.ToArray();
        _store.Objects["books/in/b.jsonl"] = Long;
        _store.Objects["books/in/c.txt"] = "three"u8.ToArray();
        _store.Breaks = (5000, 1);
        _store.Before = asked =>
        {
            if (asked.StartsWith("GET books/in/b.jsonl bytes=5000", StringComparison.Ordinal))
                _store.Objects["books/in/b.jsonl"] = [.. Long.Reverse()];
            if (asked.StartsWith("GET books/in/c.txt", StringComparison.Ordinal))
                _store.Objects.Remove("books/in/c.txt");
        };
        var (text, rejects) = await BuildAsync("books/in");
        Assert.Equal(1, text.Report.Read[0].Documents);
        Assert.Equal(
            ["source in: b.jsonl cannot be fetched: it is another object now",
                "source in: c.txt cannot be fetched: there is no such object"], rejects);
        Assert.Contains("source in: s3://books/in/c.txt cannot be fetched: there is no such object", _notices);
        _store.Objects["books/in/c.txt"] = "three"u8.ToArray();
        var stopped = await Assert.ThrowsAnyAsync<ElasticException>(() => BuildAsync("books/in", ("on-reject", "stop")));
        Assert.Contains("c.txt cannot be fetched: there is no such object", stopped.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_version_and_a_digest_are_what_they_say_or_an_error()
    {
        _store.Objects["books/a.txt"] = "new"u8.ToArray();
        _store.Objects["books/a.txt?v1"] = "old"u8.ToArray();
        var digest = Convert.ToHexStringLower(SHA256.HashData("old"u8));
        Assert.Equal("old", await TextOf(_store["books/a.txt"] + $"&version=v1#sha256={digest}"));
        Assert.Equal("new", await TextOf(_store["books/a.txt"]));
        var error = await Assert.ThrowsAnyAsync<ElasticException>(() => TextOf(_store["books/a.txt"] + $"#sha256={digest}"));
        Assert.Contains($"and {digest} is wanted", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_that_no_file_can_have_are_named_and_reach_no_other_place()
    {
        foreach (var key in new[] { "../out.txt", "a//b.txt", "ok.txt", "ok.txt/below.txt", $"{new string('n', 256)}.txt" })
            _store.Objects[$"books/in/{key}"] = "text"u8.ToArray();
        var (text, rejects) = await BuildAsync("books/in");
        Assert.Equal(1, text.Report.Read[0].Documents);
        Assert.Equal(4, rejects.Count(r => r.EndsWith("has a key that no file can have: copy the object under another one",
            StringComparison.Ordinal)));
        Assert.Empty(Directory.GetFiles(_folder.Path, "out.txt", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_store_that_refuses_and_a_prefix_of_nothing_say_what_to_do()
    {
        var none = await Assert.ThrowsAnyAsync<ElasticException>(() => BuildAsync("books/nothing"));
        Assert.Contains(
            "s3://books/nothing holds no object that the source in reads (0 are there)", none.Message, StringComparison.Ordinal);
        _store.Failures.Enqueue(403);
        var refused = await Assert.ThrowsAnyAsync<ElasticException>(() => BuildAsync("books/nothing"));
        Assert.Contains("cannot be listed: the store answered 403 Failure: these credentials may not do that there", refused.Message,
            StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret-of-the-test", none.ToString() + refused, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("s3://", "names no bucket")]
    [InlineData("s3://books/a.txt#sha256=12", "does not end with #sha256= and 64 hexadecimal digits")]
    [InlineData("s3://books/a?endpoint=ftp://host", "known are endpoint=URL of http or https")]
    [InlineData("s3://books/a?endpoint=http://me:secret@host", "has a user's name in its endpoint")]
    [InlineData("s3://books/a?colour=red", "has colour=red behind its '?'")]
    public void An_address_that_cannot_work_is_refused_before_anything_is_fetched(string address, string why) =>
        Refusal.Says(why, () => Manifests.OfSources([("name", "a"), ("paths[]", address)]));

    private async Task<string> TextOf(string address) =>
        await File.ReadAllTextAsync(
            (await GetAsync(Manifests.OfSources([("name", "in"), ("paths[]", address)]))).Sources[0].Paths[0]);

    private async Task<(BuiltText Text, IReadOnlyList<string> Rejects)> BuildAsync(string place, params (string, string)[] keys)
    {
        var text = Build(await GetAsync(Manifests.OfSources([("name", "in"), ("paths[]", _store[place]), .. keys])));
        var rejects = Path.Combine(text.Folder, "rejects.txt");
        return (text, File.Exists(rejects) ? File.ReadAllLines(rejects) : []);
    }

    private Task<BuildManifest> GetAsync(BuildManifest manifest) => new Downloads(_folder["downloads"], _notices.Add)
    {
        Pause = new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)),
    }.GetAsync(manifest, TestContext.Current.CancellationToken);

    private BuiltText Build(BuildManifest manifest) =>
        new CorpusBuilder(manifest, new PieceStore(_folder["pieces"]), _folder["texts"]).Run(1, null, CancellationToken.None);

    private static string BytesOf(BuiltText text) => string.Join('\n', Directory.GetFiles(text.Folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).Select(f => string.Create(
            CultureInfo.InvariantCulture, $"{Path.GetFileName(f)} {Digest.Of(File.ReadAllBytes(f)).Hex}")));
}
