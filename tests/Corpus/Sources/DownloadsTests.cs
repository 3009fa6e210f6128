using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests.Sources;

/// <summary>Files of sources on the web.</summary>
public sealed class DownloadsTests : IDisposable
{
    private const string Address = "https://a.example/data/a.txt";
    private static readonly byte[] Content = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 1000).Select(i => $"line {i}\n")));
    private static readonly string Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content));

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_file_is_fetched_once_and_its_digest_is_recorded()
    {
        var server = new Server();
        var path = await Get(server, Address);
        Assert.Equal(Content, File.ReadAllBytes(path));
        Assert.Equal($"fetched {Address}: its SHA-256 is {Sha256}; write #sha256={Sha256} behind the URL to take no other file",
            Assert.Single(_notices));
        Assert.Equal(path, await Get(server, Address));
        Assert.Equal(path, await Get(server, $"{Address}#sha256={Sha256}"));
        Assert.Single(server.Asked);
        File.WriteAllText(path, "somebody wrote here");
        Assert.Equal(Content, File.ReadAllBytes(await Get(server, Address)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_attempt_goes_on_where_the_last_one_broke_off(bool hasDigest)
    {
        var server = new Server { BreaksAfter = 3000 };
        Assert.Equal(Content, File.ReadAllBytes(await Get(server, hasDigest ? $"{Address}#sha256={Sha256}" : Address)));
        Assert.Equal([(Address, 0L), (Address, 3000), (Address, 6000)], server.Asked);
    }

    [Fact]
    public async Task Without_a_digest_a_server_whose_file_is_another_one_now_begins_anew()
    {
        var server = new Server { BreaksAfter = 3000, Tags = ["\"one\"", "\"two\""] };
        Assert.Equal(Content, File.ReadAllBytes(await Get(server, Address)));
        Assert.Equal(Content.Length, new FileInfo(await Get(server, Address)).Length);
    }

    [Fact]
    public async Task A_mirror_takes_the_place_of_a_server_that_has_nothing_or_something_else()
    {
        var server = new Server { Missing = "a.example" };
        await Get(server, Address, ("mirrors[]", "http://b.example/m/"));
        Assert.Equal(["https://a.example/data/a.txt", "http://b.example/m/a.txt"], server.Asked.Select(a => a.Url));
        var other = new string('0', 64);
        var error = await Assert.ThrowsAnyAsync<ElasticException>(() => Get(new Server(), $"{Address}#sha256={other}"));
        Assert.Contains($"its file has the SHA-256 {Sha256}, and {other} is wanted", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_beginning_of_another_file_makes_no_right_server_look_wrong()
    {
        await Assert.ThrowsAnyAsync<ElasticException>(
            () => Get(new Server { Status = HttpStatusCode.ServiceUnavailable }, $"{Address}#sha256={Sha256}"));
        var place = Directory.GetDirectories(_folder.Path).Single();
        File.WriteAllText(Path.Combine(place, "a.txt.part"), "what an earlier version of it began with");
        var server = new Server();
        Assert.Equal(Content, File.ReadAllBytes(await Get(server, $"{Address}#sha256={Sha256}")));
        Assert.Equal([(Address, 40L), (Address, 0)], server.Asked);
    }

    [Fact]
    public async Task A_part_of_an_older_file_is_gone_before_the_tag_of_the_new_one_is_there()
    {
        await Assert.ThrowsAnyAsync<ElasticException>(() => Get(new Server { Status = HttpStatusCode.ServiceUnavailable }, Address));
        var place = Directory.GetDirectories(_folder.Path).Single();
        File.WriteAllText(Path.Combine(place, "a.txt.part"), "the beginning of an older one");
        Directory.CreateDirectory(Path.Combine(place, "a.txt.part.etag", "in the way"));       // so that it ends where a kill would end it
        await Assert.ThrowsAnyAsync<Exception>(() => Get(new Server(), Address));
        Assert.False(File.Exists(Path.Combine(place, "a.txt.part")));
    }

    [Fact]
    public async Task A_server_that_fails_is_asked_so_often_and_named_with_its_answer()
    {
        var server = new Server { Status = HttpStatusCode.ServiceUnavailable };
        var error = await Assert.ThrowsAnyAsync<ElasticException>(() => Get(server, Address));
        Assert.Contains($"{Address} cannot be fetched: {Address}: the server answered 503", error.Message, StringComparison.Ordinal);
        Assert.Equal(5, server.Asked.Count);
        server = new Server { Status = HttpStatusCode.NotFound };
        await Assert.ThrowsAnyAsync<ElasticException>(() => Get(server, Address));
        Assert.Single(server.Asked);
    }

    [Theory]
    [InlineData("ftp://a.example/a.txt", "is not one of http or https")]
    [InlineData("https://me:secret@a.example/a.txt", "holds a user's name")]
    [InlineData("https://a.example/a.txt#sha256=12", "does not end with #sha256= and 64 hexadecimal digits")]
    [InlineData("https://a.example/a.exe", "names no file of")]
    public void A_URL_that_cannot_work_is_refused_before_anything_is_fetched(string url, string why) =>
        Refusal.Says(why, () => Build.Manifests.OfSources([("name", "a"), ("paths[]", url)]));

    private async Task<string> Get(Server server, string url, params (string Key, string Value)[] keys)
    {
        var manifest = Build.Manifests.OfSources([("name", "a"), ("paths[]", url), .. keys]);
        var pause = new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1));
        var downloads = new Downloads(_folder.Path, _notices.Add, server) { Pause = pause };
        return (await downloads.GetAsync(manifest, TestContext.Current.CancellationToken)).Sources[0].Paths[0];
    }

    /// <summary>A server of one file.</summary>
    private sealed class Server : HttpMessageHandler
    {
        public List<(string Url, long From)> Asked { get; } = [];

        public HttpStatusCode Status { get; init; } = HttpStatusCode.OK;

        public string? Missing { get; init; }

        public int BreaksAfter { get; init; } = int.MaxValue;

        public IReadOnlyList<string> Tags { get; init; } = ["\"one\""];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var from = request.Headers.Range?.Ranges.Single().From ?? 0;
            Asked.Add((request.RequestUri!.AbsoluteUri, from));
            var tag = Tags[Math.Min(Asked.Count, Tags.Count) - 1];
            if (Status != HttpStatusCode.OK || request.RequestUri.Host == Missing)
                return Task.FromResult(new HttpResponseMessage(Status == HttpStatusCode.OK ? HttpStatusCode.NotFound : Status));
            if (request.Headers.IfRange?.EntityTag is { } wanted && wanted.Tag != tag)
                from = 0;
            var rest = Content[(int)from..];
            var breaks = BreaksAfter < rest.Length && Asked.Count < 4;
            var response = new HttpResponseMessage(from > 0 ? HttpStatusCode.PartialContent : HttpStatusCode.OK)
            {
                Content = new StreamContent(new MemoryStream(breaks ? rest[..BreaksAfter] : rest)),
            };
            response.Content.Headers.ContentLength = rest.Length;
            response.Headers.ETag = new EntityTagHeaderValue(tag);
            if (from > 0)
                response.Content.Headers.ContentRange = new ContentRangeHeaderValue(from, Content.Length - 1, Content.Length);
            return Task.FromResult(response);
        }
    }
}
