using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Web;

/// <summary>How a run of 10,000 rounds reaches a page: with few points, and compressed.</summary>
public sealed class LongCurveApiTests : IAsyncLifetime
{
    private const string Losses = "/api/v1/runs/long/losses";
    private const int Rounds = 10_000, Spike = 4321;

    private Served _served = null!;

    public async ValueTask InitializeAsync()
    {
        _served = await Served.StartAsync();
        _served.Cluster.Curves.Add(new RunCurve(
            new RunId("long-3k9v2mq7"), TinySettings.Of("long"), Digest.Of([1]), ThinnedCurveTests.Curve(Rounds, (Spike, 44.5))));
    }

    public ValueTask DisposeAsync() => _served.DisposeAsync();

    [Fact]
    public async Task A_long_curve_is_thinned_and_the_answer_says_so_and_how_to_get_all()
    {
        var answer = await _served.GetAsync(Losses + "?limit=5000");
        var (rounds, thinned) = (RoundsOf(answer), answer["thinned"]!);
        Assert.InRange(rounds.Length, 1000, 2000);
        Assert.Equal((0, Rounds - 1), (rounds[0], rounds[^1]));
        Assert.Contains(Spike, rounds);
        Assert.Equal((rounds.Length, Rounds), ((int)thinned["points"]!, (int)thinned["of"]!));
        Assert.EndsWith("?points=all has all", (string)thinned["detail"]!, StringComparison.Ordinal);

        // Whoever reads page by page, or what has come since, gets the same.
        var first = await _served.GetAsync(Losses + "?limit=700");
        var rest = await _served.GetAsync(Losses + $"?limit=5000&after={first["next"]}");
        Assert.Equal(rounds, RoundsOf(first).Concat(RoundsOf(rest)));
        Assert.InRange(RoundsOf(await _served.GetAsync(Losses + "?points=16")).Length, 2, 16);
    }

    [Fact]
    public async Task All_of_a_long_curve_comes_where_it_is_asked_for()
    {
        var rounds = new List<int>();
        for (int? after = -1; after is not null;)
        {
            var page = await _served.GetAsync(Losses + $"?points=all&limit=5000&after={after}");
            Assert.Null(page["thinned"]);
            rounds.AddRange(RoundsOf(page));
            after = (int?)page["next"];
        }

        Assert.Equal(Enumerable.Range(0, Rounds), rounds);
        var (status, text, _) = await _served.SendAsync(HttpMethod.Get, Losses + "?points=15", null, Served.Token);
        Assert.Equal(
            (400, "points=15: use a number from 16 to 5000, or all"), ((int)status, (string)JsonNode.Parse(text)!["detail"]!));
    }

    [Theory]
    [InlineData("gzip", Losses + "?limit=5000")]
    [InlineData("br", Losses + "?limit=5000")]
    [InlineData("gzip", "/chart.js")]
    public async Task Answers_and_the_page_s_files_are_compressed_for_who_accepts_it(string encoding, string path)
    {
        var (_, plain, answer) = await _served.SendAsync(HttpMethod.Get, path, null, Served.Token);
        Assert.Empty(answer.Content.Headers.ContentEncoding);
        (_, _, answer) = await _served.SendAsync(HttpMethod.Get, path, null, [.. Served.Token, ("Accept-Encoding", encoding)]);
        Assert.Equal([encoding], answer.Content.Headers.ContentEncoding);
        var bytes = await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.InRange(bytes.Length, 1, plain.Length * 2 / 3);
        using Stream opened = encoding == "br"
            ? new BrotliStream(new MemoryStream(bytes), CompressionMode.Decompress)
            : new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        Assert.Equal(plain, await new StreamReader(opened, Encoding.UTF8).ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("/api/v1/session")]
    [InlineData("/api/v1/events")]
    [InlineData("/api/v1/nothing")]
    public async Task What_has_a_secret_in_it_events_and_problems_are_not_compressed(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{_served.Endpoint}{path}");
        foreach (var (name, value) in Served.Token.Append(("Accept-Encoding", "gzip, br")))
            request.Headers.TryAddWithoutValidation(name, value);
        using var http = new HttpClient();
        using var answer = await http.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Empty(answer.Content.Headers.ContentEncoding);
    }

    private static int[] RoundsOf(JsonObject answer) => [.. answer["points"]!.AsArray().Select(p => (int)p!["round"]!)];
}
