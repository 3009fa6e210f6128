using System.Diagnostics;
using System.Net;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Commands;
using Elastic.Host.Ops;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Tests.Ops;

// Alone: a node that ends beside it, in another test, takes the newest values of the whole process from the metrics.
[CollectionDefinition(nameof(OpsServerTests), DisableParallelization = true)]
[Collection(nameof(OpsServerTests))]
public sealed class OpsServerTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };
    private TelemetryExport _export = null!;
    private OpsServer _server = null!;
    private string? _unready;

    private SecretToken Token => OpsToken.Of(NodeSettings.Defaults with { DataDir = _folder });

    public async ValueTask InitializeAsync()
    {
        _export = TelemetryExport.Begin("10.0.0.5:4053", isScraped: true)!;
        _server = await OpsServer.StartAsync("127.0.0.1", 0, () => _unready, Token, _export.Metrics, default);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _export.Dispose();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task It_lives_whatever_the_cluster_does_and_is_ready_while_the_process_is_in_one()
    {
        Assert.Equal((HttpStatusCode.OK, "ok\n"), await GetAsync("/healthz/ready"));
        _unready = "this process is in no cluster";
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "this process is in no cluster\n"), await GetAsync("/healthz/ready"));
        Assert.Equal((HttpStatusCode.OK, "ok\n"), await GetAsync("/healthz/live"));
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync("/")).Status);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/METRICS")).Status);
    }

    [Fact]
    public async Task A_health_check_ends_with_0_where_the_node_is_ready_and_else_with_1_and_the_reason()
    {
        var address = $"{_server.Endpoint}";
        Assert.Equal((0, $"{address} is ready", ""), await HealthAsync(address));
        _unready = "this process is in no cluster";
        Assert.Equal((1, "", $"error: {address} is not ready: this process is in no cluster"), await HealthAsync(address));
        await _server.DisposeAsync();
        var (code, output, error) = await HealthAsync(address);
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith($"error: {address} does not answer as an ops port: ", error, StringComparison.Ordinal);
        Assert.Equal(2, (await HealthAsync("nowhere")).Code);
    }

    [Fact]
    public async Task What_is_observed_is_scraped_under_the_documented_names()
    {
        var run = new RunId($"run-{Guid.NewGuid():N}");
        var observations = new Observations(new ObservationStore(await DatabaseAsync()));
        await using (observations)
        {
            observations.Record(new RoundCommitted(run, 3, 4096));
            observations.Record(new RoundCommitted(run, 4, 8192));
            observations.Record(new Goodput(run, 4, 9, 12));
            observations.Record(new WorkRecovered(run, new NodeId("n"), 4, 1, 0.75));
        }

        var (status, text) = await GetAsync("/metrics");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("2", Value(text, "elastic_rounds_committed_total"));
        Assert.Equal("8192", Value(text, "elastic_tokens_total"));
        Assert.Equal("0.75", Value(text, "elastic_goodput_ratio"));
        Assert.Equal("1", Value(text, "elastic_recovery_seconds_count"));
        Assert.Equal("0.75", Value(text, "elastic_recovery_seconds_sum"));
        Assert.Contains("dotnet_process_memory_working_set", text, StringComparison.Ordinal);

        // Another seed supervises from now on and shows what is newest; what was counted here stays.
        observations.End();
        text = (await GetAsync("/metrics")).Text;
        Assert.Null(Value(text, "elastic_goodput_ratio"));
        Assert.Equal("2", Value(text, "elastic_rounds_committed_total"));

        string? Value(string scraped, string name) => scraped.Split('\n')
            .FirstOrDefault(l => l.StartsWith(name + "{", StringComparison.Ordinal) && l.Contains(run.Value, StringComparison.Ordinal))
            ?.Split(' ')[1];
    }

    // What a hundred nodes show of themselves, a histogram and some numbers each, in one process. What a scrape takes is in the test's
    // output.
    [Fact]
    public async Task A_scrape_has_a_hundred_nodes_worth_of_series()
    {
        const int nodes = 100, scrapes = 20;
        var run = $"wide-{Guid.NewGuid():N}"[..20];
        await using (var observations = new Observations(new ObservationStore(await DatabaseAsync())))
        {
            foreach (var each in Enumerable.Range(0, nodes).Select(i => new RunId($"{run}-{i}")))
            {
                observations.Record(new WorkRecovered(each, new NodeId("n"), 4, 1, 0.75));
                observations.Record(new RoundCommitted(each, 3, 4096));
                observations.Record(new StepLoss(each, new NodeId("n"), 3, 0, 1, 2.5, 0.001));
                observations.Record(new Goodput(each, 4, 9, 12));
            }
        }

        for (var warm = 0; warm < scrapes; warm++)
            await GetAsync("/metrics");
        var (before, fastest, text) = (Environment.CpuUsage.TotalTime, TimeSpan.MaxValue, "");
        for (var scrape = 0; scrape < scrapes; scrape++)
        {
            var began = Stopwatch.GetTimestamp();
            text = (await GetAsync("/metrics")).Text;
            fastest = TimeSpan.FromTicks(Math.Min(fastest.Ticks, Stopwatch.GetElapsedTime(began).Ticks));
        }

        var processor = (Environment.CpuUsage.TotalTime - before) / scrapes;
        var lines = text.Split('\n').Count(l => l.Contains(run, StringComparison.Ordinal));
        Assert.True(lines >= 25 * nodes, $"{lines} lines");
        // The client's share is in it.
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{lines} lines, {text.Length >> 10} KiB: {processor.TotalMilliseconds:0.0} ms of a processor, "
            + $"{fastest.TotalMilliseconds:0.0} ms at best");
    }

    [Theory]
    [InlineData("Host", "evil.example")]
    [InlineData("Origin", "http://127.0.0.1")]
    public async Task A_web_page_is_refused(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{_server.Endpoint}/metrics");
        request.Headers.TryAddWithoutValidation(header, value);
        using var answer = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Fact]
    public void From_another_machine_metrics_want_the_token_and_probes_want_none()
    {
        Assert.Null(_server.Problem(Asked("/healthz/live", null)));
        Assert.Null(_server.Problem(Asked("/metrics", $"Bearer {Token.Secret}")));
        // The exporter answers this, too.
        Assert.Equal(StatusCodes.Status401Unauthorized, _server.Problem(Asked("/Metrics", null))?.Status);
        foreach (var shown in new[] { null, Token.Secret, "Bearer ", $"Bearer {Token.Secret}0", $"Basic {Token.Secret}" })
        {
            var problem = _server.Problem(Asked("/metrics", shown));
            Assert.Equal(StatusCodes.Status401Unauthorized, problem?.Status);
            Assert.Contains(
                "Authorization: Bearer TOKEN, with what ops-token on this node's machine holds", problem?.Why, StringComparison.Ordinal);
        }

        DefaultHttpContext Asked(string path, string? authorization)
        {
            var context = new DefaultHttpContext();
            context.Request.Path = path;
            context.Request.Headers.Authorization = authorization;
            context.Connection.LocalIpAddress = IPAddress.Parse("10.0.0.5");
            return context;
        }
    }

    [Fact]
    public void A_token_file_that_is_named_is_used_and_has_to_hold_one()
    {
        var file = Path.Combine(_folder, "own");
        CertificateFiles.WriteSecret(file, "short");
        var refused = Assert.Throws<ElasticException>(() => OpsToken.Of(NodeSettings.Defaults with { OpsTokenFile = file }));
        Assert.StartsWith($"{file} holds no token: it has to be 64 hexadecimal digits", refused.Message, StringComparison.Ordinal);
        CertificateFiles.WriteSecret(file, new string('a', 64));
        Assert.True(OpsToken.Of(NodeSettings.Defaults with { OpsTokenFile = file }).Matches(new string('a', 64)));
    }

    private async Task<DatabaseAddress> DatabaseAsync()
    {
        var database = DatabaseAddress.Parse(null, _folder);
        await database.PrepareAsync(_ => { }, default);
        return database;
    }

    private static async Task<(int Code, string Output, string Error)> HealthAsync(string address)
    {
        using StringWriter output = new(), error = new();
        var code = await ElasticCommandLine.RunAsync(["health", address], output, error);
        return (code, output.ToString().Trim(), error.ToString().Trim());
    }

    private async Task<(HttpStatusCode Status, string Text)> GetAsync(string path)
    {
        using var answer = await _http.GetAsync(new Uri($"http://{_server.Endpoint}{path}"));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
