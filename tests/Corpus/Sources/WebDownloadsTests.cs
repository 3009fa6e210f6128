using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Corpus.Tests.Sources;

/// <summary>Files of sources on the web, over real connections: what a server does to them below HTTP's answers.</summary>
public sealed class WebDownloadsTests : IDisposable
{
    private static readonly byte[] Content = Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Range(0, 30_000).Select(i => string.Create(CultureInfo.InvariantCulture, $"line {i}\n"))));
    private static readonly string Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content));

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _asked = [];
    private readonly HttpListener _listener;
    private readonly string _root;
    private Func<int, (int Status, string? Tag, int Bytes)> _answer = _ => (200, null, int.MaxValue);
    private bool _knowsRanges = true;

    public WebDownloadsTests()
    {
        (_listener, _root) = Listening();
        _ = Task.Run(ServeAsync);
    }

    public void Dispose()
    {
        _listener.Close();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("", "- 100000-")]
    [InlineData("#digest", "- 100000-")]
    public async Task A_connection_that_breaks_is_taken_up_where_it_broke(string digest, string ranges)
    {
        Serve(number => (200, "\"one\"", number == 0 ? 100_000 : int.MaxValue));
        Assert.Equal(Content, File.ReadAllBytes(await GetAsync("a.txt" + digest)));
        Assert.Equal(ranges, string.Join(' ', _asked));
    }

    [Fact]
    public async Task A_server_that_knows_no_ranges_gives_all_of_it_again()
    {
        _knowsRanges = false;
        Serve(number => (200, null, number == 0 ? 100_000 : int.MaxValue));
        Assert.Equal(Content, File.ReadAllBytes(await GetAsync("a.txt#digest")));
        Assert.Equal("- 100000-", string.Join(' ', _asked));
    }

    [Fact]
    public async Task A_file_that_changes_between_two_attempts_is_never_joined_of_both()
    {
        Serve(number => (200, number == 0 ? "\"one\"" : "\"two\"", number == 0 ? 100_000 : int.MaxValue));
        Assert.Equal(Content, File.ReadAllBytes(await GetAsync("a.txt")));
        Assert.Equal("- 100000-", string.Join(' ', _asked));
        // Without a tag nobody knows, and it is fetched from its beginning.
        Serve(number => (200, null, number == 0 ? 100_000 : int.MaxValue));
        Assert.Equal(Content, File.ReadAllBytes(await GetAsync("b.txt")));
        Assert.Equal("- -", string.Join(' ', _asked));
    }

    [Fact]
    public async Task Redirections_are_followed_so_far_and_a_circle_of_them_is_an_error_that_names_the_address()
    {
        Serve(number => (number < 3 ? 302 : 200, null, int.MaxValue));
        Assert.Equal(Content, File.ReadAllBytes(await GetAsync("a.txt")));
        Assert.Equal(4, _asked.Count);
        Serve(_ => (302, null, int.MaxValue));
        var error = await Assert.ThrowsAnyAsync<ElasticException>(() => GetAsync("b.txt"));
        Assert.Contains($"{_root}b.txt cannot be fetched: {_root}b.txt: the server answered 302", error.Message, StringComparison.Ordinal);
        Assert.Equal(11, _asked.Count);
    }

    [Fact]
    public async Task A_server_that_says_nothing_is_left_after_a_while_and_what_it_gave_is_kept()
    {
        Serve(number => (200, "\"one\"", number < 2 ? -100_000 : int.MaxValue));
        Assert.Equal(Content, File.ReadAllBytes(await GetAsync("a.txt", patience: 1)));
        Assert.Equal(["-", "100000-", "200000-"], _asked.Take(3));
        Serve(_ => (200, "\"one\"", 0));
        var error = await Assert.ThrowsAnyAsync<ElasticException>(() => GetAsync("b.txt", patience: 0.1));
        Assert.Contains("the server said nothing for 0.1 seconds", error.Message, StringComparison.Ordinal);
    }

    // Answers as `answer` says to the number of the request: the status, the tag, and the bytes after which it breaks off; where these are
    // below 1, after which it says nothing more.
    private void Serve(Func<int, (int Status, string? Tag, int Bytes)> answer) => (_answer, _) = (answer, _asked.RemoveAll(_ => true));

    private async Task ServeAsync()
    {
        while (true)
        {
            var context = await _listener.GetContextAsync();
            _asked.Add(context.Request.Headers["Range"]?["bytes=".Length..] ?? "-");
            await AnswerAsync(context, _answer(_asked.Count - 1), _knowsRanges);
        }
    }

    private static async Task AnswerAsync(HttpListenerContext context, (int Status, string? Tag, int Bytes) answer, bool knowsRanges)
    {
        var (request, response) = (context.Request, context.Response);
        response.StatusCode = answer.Status;
        if (answer.Status == 302)
        {
            response.RedirectLocation = request.Url!.AbsolutePath;
            response.Close();
            return;
        }

        var from = 0;
        if (request.Headers["Range"] is { } range && knowsRanges && (request.Headers["If-Range"] ?? answer.Tag) == answer.Tag)
        {
            from = int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture);
            response.StatusCode = 206;
            response.Headers["Content-Range"] = $"bytes {from}-{Content.Length - 1}/{Content.Length}";
        }

        if (answer.Tag is not null)
            response.Headers["ETag"] = answer.Tag;
        response.ContentLength64 = Content.Length - from;
        var count = Math.Min(Math.Abs(answer.Bytes), Content.Length - from);
        await response.OutputStream.WriteAsync(Content.AsMemory(from, count));
        await response.OutputStream.FlushAsync();
        if (answer.Bytes < 1)
            return;
        if (count == Content.Length - from)
            response.Close();
        else
            response.Abort();
    }

    private async Task<string> GetAsync(string name, double patience = 60)
    {
        var manifest = Build.Manifests.OfSources(
            [("name", "a"), ("paths[]", _root + name.Replace("#digest", $"#sha256={Sha256}", StringComparison.Ordinal))]);
        var downloads = new Downloads(_folder.Path, _ => { })
        {
            Pause = new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)),
            Patience = TimeSpan.FromSeconds(patience),
        };
        return (await downloads.GetAsync(manifest, TestContext.Current.CancellationToken)).Sources[0].Paths[0];
    }

    private static (HttpListener, string Root) Listening()
    {
        var (listener, root) = (new HttpListener(), $"http://127.0.0.1:{FreePort.Text()}/");
        listener.Prefixes.Add(root);
        listener.Start();
        return (listener, root);
    }
}
