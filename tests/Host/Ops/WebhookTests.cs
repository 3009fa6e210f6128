using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Host.Ops;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Tests.Ops;

/// <summary>A receiver that fails now and then, and seeds that come and go.</summary>
public sealed class WebhookTests : IAsyncLifetime
{
    private static readonly RunId Run = new("tiny-1");
    private static readonly WebhookLimits Quick = new(
        TimeSpan.FromSeconds(10), new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5)), 3);

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly ConcurrentQueue<JsonElement> _received = [];
    private readonly ConcurrentQueue<string> _said = [];
    private readonly ConcurrentQueue<int> _answers = [];               // statuses of the next calls; 200 where there are none left
    private int _silences;                                             // next calls that get no answer
    private bool _isEndless;                                           // an answer's body has no end
    private DatabaseAddress _database = null!;
    private ObservationStore _store = null!;
    private HttpHost _receiver = null!;

    private Uri Address => new($"http://{_receiver.Endpoint}/hook?secret=s3cr3t");

    public async ValueTask InitializeAsync()
    {
        _database = DatabaseAddress.Parse(null, _folder);
        await _database.PrepareAsync(_ => { }, default);
        _store = new ObservationStore(_database);
        _receiver = await ListenAsync(FreePort.Take());          // where a test has it listen again
    }

    private Task<HttpHost> ListenAsync(int port) => HttpHost.StartAsync(
        "the receiver", "127.0.0.1", port, "-", Transport.Plain, TimeSpan.FromMilliseconds(100), _ => { },
        app => app.MapPost("/hook", async context =>
        {
            context.Response.StatusCode = _answers.TryDequeue(out var status) ? status : StatusCodes.Status200OK;
            if (context.Response.StatusCode != StatusCodes.Status200OK)
                return;
            _received.Enqueue((await JsonDocument.ParseAsync(context.Request.Body)).RootElement);
            while (_isEndless)
                await context.Response.WriteAsync("more ", context.RequestAborted);
            if (Interlocked.Decrement(ref _silences) >= 0)
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        }), default);

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Each_event_arrives_in_order_with_its_id_also_by_the_next_seed_and_nothing_twice()
    {
        await StoreAsync(new RunFailed(Run, "before anybody asked to be told"));
        await using (Begin(() => true))
        {
            await ReadyAsync();
            await StoreAsync(
                new RunWaits(Run, "a node"), new RoundCommitted(Run, 3, 64), new NodeQuarantined(Run, new NodeId("w3"), "wrong \"bytes\""));
            await ReceivedAsync(2);
            // A seed that is lost between an answer and this note leads to the same event once more.
            await NotedAsync(_received.Last());
        }

        await StoreAsync(new RunFinished(Run, 5, "0a1b"));
        await using (Begin(() => false))
        {
            await using var next = Begin(() => true);
            await ReceivedAsync(3);
        }

        Assert.Equal(["run-waits", "node-quarantined", "run-finished"], _received.Select(r => r.GetProperty("event").GetString()));
        Assert.Equal(3, _received.Select(r => r.GetProperty("id").GetString()).Distinct().Count());
        Assert.Equal("wrong \"bytes\"", _received.ElementAt(1).GetProperty("why").GetString());
        Assert.Equal(("tiny-1", 5), (_received.Last().GetProperty("runId").GetString(), _received.Last().GetProperty("rounds").GetInt32()));
        Assert.Empty(_said);
    }

    [Fact]
    public async Task A_receiver_that_fails_is_asked_again_and_one_that_never_takes_an_event_does_not_hold_up_the_next()
    {
        await using var hook = Begin(() => true);
        await ReadyAsync();
        foreach (var status in new[] { 500, 302, 200, 503, 503, 503 })
            _answers.Enqueue(status);
        await StoreAsync(new RunWaits(Run, "a node"), new RunFailed(Run, "a disk"), new RunFinished(Run, 5, "0a1b"));
        await ReceivedAsync(2);
        Assert.Equal(["run-waits", "run-finished"], _received.Select(r => r.GetProperty("event").GetString()));
        Assert.Equal(
            [
                "the webhook at 127.0.0.1 did not take run-waits (status 500): trying again",
                "the webhook at 127.0.0.1 did not take run-failed (status 503): trying again",
                "the webhook at 127.0.0.1 did not take run-failed in 3 attempts: it is left out",
            ], _said);
    }

    [Fact]
    public async Task What_a_slow_receiver_took_without_an_answer_comes_again_with_the_same_id_and_one_that_was_gone_gets_all()
    {
        // Longer than an answer takes on a busy machine.
        var patient = Quick with { Deadline = TimeSpan.FromSeconds(3), Attempts = int.MaxValue };
        var port = _receiver.Endpoint.Port;
        _silences = 1;
        await using (new Teller(new Webhook(Address, _database, () => true, patient, _said.Enqueue)))
        {
            await ReadyAsync();
            await StoreAsync(new RunWaits(Run, "a node"));
            await ReceivedAsync(2);
            await NotedAsync(_received.Last());
            await _receiver.DisposeAsync();
            var before = _said.Count;
            await StoreAsync(new RunFailed(Run, "a disk"));
            await UntilAsync(() => _said.Count > before);
        }

        // The seed is lost meanwhile, and the next one goes on.
        await StoreAsync(new RunFinished(Run, 5, "0a1b"));
        var said = _said.Count;
        await using var next = new Teller(new Webhook(
            new Uri($"http://127.0.0.1:{port}/hook?secret=s3cr3t"), _database, () => true, patient, _said.Enqueue));
        await UntilAsync(() => _said.Count > said);
        _receiver = await ListenAsync(port);
        await ReceivedAsync(4);
        Assert.Equal(
            ["run-waits", "run-waits", "run-failed", "run-finished"], _received.Select(r => r.GetProperty("event").GetString()));
        var ids = _received.Select(r => r.GetProperty("id").GetString()).ToList();
        Assert.Equal(ids[0], ids[1]);
        Assert.Equal(3, ids.Distinct().Count());
        Assert.Equal("the webhook at 127.0.0.1 did not take run-waits (no answer within 3 s): trying again", _said.First());
        Assert.All(_said, line => Assert.DoesNotContain("s3cr3t", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_receiver_whose_answer_has_no_end_is_not_listened_to_and_gets_the_next_event()
    {
        _isEndless = true;
        await using var hook = Begin(() => true);
        await ReadyAsync();
        await StoreAsync(new RunWaits(Run, "a node"), new RunFinished(Run, 5, "0a1b"));
        await ReceivedAsync(2);
        Assert.Equal(["run-waits", "run-finished"], _received.Select(r => r.GetProperty("event").GetString()));
        Assert.Empty(_said);
    }

    [Theory]
    [InlineData("ftp://example.org/x")]
    [InlineData("")]
    public void A_file_without_an_address_is_refused_and_not_repeated(string text)
    {
        var file = Path.Combine(_folder, "hook");
        File.WriteAllText(file, text);
        var refused = Assert.Throws<ElasticException>(() => Webhook.ReadAddress(file));
        Assert.StartsWith($"{file} (node.webhook-file) holds no address", refused.Message, StringComparison.Ordinal);
        if (text.Length > 0)
            Assert.DoesNotContain(text, refused.Message, StringComparison.Ordinal);
        File.WriteAllText(file, "https://example.org/hook\n");
        Assert.Equal(new Uri("https://example.org/hook"), Webhook.ReadAddress(file));
    }

    /// <summary>Waits until what is stored from now on is told of.</summary>
    private Task ReadyAsync() => UntilNotedAsync(0);

    private Task NotedAsync(JsonElement told) =>
        UntilNotedAsync(long.Parse(told.GetProperty("id").GetString()!, CultureInfo.InvariantCulture));

    private async Task UntilNotedAsync(long id)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await _database.CallAsync(TimeSpan.FromSeconds(5), async (connection, cancel) => (await connection.QueryAsync(
            "SELECT COUNT(*) FROM elastic_cursors WHERE last >= @id", row => row.GetInt64(0), cancel, ("id", id)))[0], deadline.Token) == 0)
            await Task.Delay(20, deadline.Token);
    }

    private Task<int> StoreAsync(params Observation[] what) => _store.AppendAsync([.. what.Select(w => (w, TimeSpan.Zero))], default);

    private Task ReceivedAsync(int count) => UntilAsync(() => _received.Count >= count);

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
            await Task.Delay(20, deadline.Token);
    }

    private Teller Begin(Func<bool> supervises) => new(new Webhook(Address, _database, supervises, Quick, _said.Enqueue));

    private sealed class Teller : IAsyncDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly Webhook _hook;
        private readonly Task _telling;

        public Teller(Webhook hook)
        {
            _hook = hook;
            _telling = Task.Run(() => hook.RunAsync(_end.Token));
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _telling;
            _hook.Dispose();
            _end.Dispose();
        }
    }
}
