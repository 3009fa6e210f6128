using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Observations;
using Elastic.Storage;

namespace Elastic.Host.Ops;

/// <summary>How a webhook is called.</summary>
/// <param name="Deadline">The time that one call may take.</param>
/// <param name="Retry">Pauses after calls that failed.</param>
/// <param name="Attempts">After so many calls an event is given up, and told of in this process's output.</param>
internal sealed record WebhookLimits(TimeSpan Deadline, Backoff Retry, int Attempts)
{
    // Some two hours: a receiver that is being mended gets everything, and one that is gone holds nothing up for ever.
    public static readonly WebhookLimits Default = new(
        TimeSpan.FromSeconds(10), new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)), 32);
}

/// <summary>
/// Tells an HTTP server of what somebody should know: a run that is finished, has failed or waits, a node in quarantine. One POST of a JSON
/// object each, in order, from the seed that supervises the runs. Each arrives once or, after a failure in between, more often, with the
/// same id.
/// </summary>
internal sealed class Webhook : IDisposable
{
    private const int MostAddressBytes = 4096;

    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly IReadOnlyList<Type> Kinds = [typeof(RunFinished), typeof(RunFailed), typeof(RunWaits), typeof(NodeQuarantined)];

    private readonly Uri _address;
    private readonly Func<bool> _supervises;
    private readonly ObservationStore _store;
    private readonly ObservationCursors _cursors;
    private readonly WebhookLimits _limits;
    private readonly Action<string> _say;
    private readonly string _cursor;
    // Redirects are not followed: what is sent is for the address that was given.
    private readonly HttpClient _http = new(
        new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) });

    /// <param name="supervises">True while the runs are supervised in this process.</param>
    /// <param name="say">Is told of calls that fail.</param>
    public Webhook(Uri address, DatabaseAddress database, Func<bool> supervises, WebhookLimits limits, Action<string> say)
    {
        (_address, _supervises, _limits, _say) = (address, supervises, limits, say);
        (_store, _cursors) = (new ObservationStore(database), new ObservationCursors(database));
        // The address may be a secret: the database gets its digest.
        _cursor = $"webhook {Digest.Of(Encoding.UTF8.GetBytes(address.AbsoluteUri))}";
    }

    /// <summary>Reads an address from a file, where no list of processes and no configuration shows it.</summary>
    /// <exception cref="ElasticException">There is none in it.</exception>
    public static Uri ReadAddress(string file)
    {
        string text;
        try
        {
            text = RegularFile.ReadText(Path.GetFullPath(file), MostAddressBytes).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ElasticException($"the address of the webhook (node.webhook-file) cannot be read: {e.Message}", e);
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new ElasticException(
                $"{file} (node.webhook-file) holds no address: write one line like https://example.org/hook into it");
    }

    /// <summary>Tells until the end of the process.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                if (_supervises())
                    await TellAsync(cancel);
                await Task.Delay(Look, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The seed ends; the next one goes on after the last event that was told of.
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task TellAsync(CancellationToken cancel)
    {
        try
        {
            var last = await _cursors.ReadAsync(_cursor, cancel);
            foreach (var observed in await _store.ReadAsync(new ObservationQuery(last, Kinds: Kinds, AtMost: 100), cancel))
            {
                if (!await SendAsync(observed, cancel))
                    return;
                await _cursors.AdvanceAsync(_cursor, observed.Id, cancel);
            }
        }
        catch (DatabaseUnavailableException)
        {
            // The database is down: the supervisor says so, and the next look is in a second.
        }
    }

    // False where another seed supervises by now, and tells of it.
    private async Task<bool> SendAsync(StoredObservation observed, CancellationToken cancel)
    {
        for (var failures = 0; failures < _limits.Attempts; failures++)
        {
            if (failures > 0)
                await Task.Delay(_limits.Retry.After(failures - 1), cancel);
            if (!_supervises())
                return false;
            if (await PostAsync(observed, cancel) is not { } problem)
                return true;
            if (failures == 0)
                _say($"the webhook at {_address.Host} did not take {observed.Kind} ({problem}): trying again");
        }

        _say($"the webhook at {_address.Host} did not take {observed.Kind} in {_limits.Attempts} attempts: it is left out");
        return true;
    }

    private async Task<string?> PostAsync(StoredObservation observed, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(_limits.Deadline);
        try
        {
            // With its length, which simple receivers want.
            using var body = new StringContent(BodyOf(observed).ToJsonString(), Encoding.UTF8, "application/json");
            using var request = new HttpRequestMessage(HttpMethod.Post, _address) { Content = body };
            // What the receiver has to say besides its status is not read: it may be of any length.
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token);
            return answer.IsSuccessStatusCode
                ? null : string.Create(CultureInfo.InvariantCulture, $"status {(int)answer.StatusCode}");
        }
        catch (HttpRequestException e)
        {
            return OneLine.Of(e.Message, 200);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return string.Create(CultureInfo.InvariantCulture, $"no answer within {_limits.Deadline.TotalSeconds} s");
        }
    }

    // What was observed, with what tells it from others: {"id": "17", "event": "run-finished", "at": ..., "runId": ..., ...}
    private static JsonObject BodyOf(StoredObservation observed)
    {
        var body = new JsonObject
        {
            ["id"] = observed.Id.ToString(CultureInfo.InvariantCulture),
            ["event"] = observed.Kind,
            ["at"] = observed.At.ToString("O", CultureInfo.InvariantCulture),
        };
        using var payload = JsonDocument.Parse(observed.Payload);
        foreach (var field in payload.RootElement.EnumerateObject())
            body[field.Name] = JsonNode.Parse(field.Value.GetRawText());
        return body;
    }
}
