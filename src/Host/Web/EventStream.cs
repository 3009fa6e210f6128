using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Display;
using Elastic.Host.Http;
using Elastic.Messages;
using Elastic.Storage;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>
/// <c>GET /api/v1/events</c>: what is observed, and how runs stand, as server-sent events. An observation's id is the event's, so that a
/// page which lost its connection goes on after the last one that it has, at this seed or another one.
/// </summary>
/// <param name="most">Streams at a time.</param>
internal sealed class EventStream(WebContext web, int most, TimeSpan look, TimeSpan beat)
{
    private const int MostAtOnce = 500, MostRuns = 200;

    // A browser comes back by itself, and shows again that it may: its session may have ended meanwhile.
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private int _open;

    /// <summary>Streams until the client goes, the server ends, or an hour is over.</summary>
    public async Task ServeAsync(HttpContext context, CancellationToken ended)
    {
        var run = Query.Text(context, "run") is { } name
            ? (await web.CurveAsync(Query.Run(name, "run"), context.RequestAborted)).Id : (RunId?)null;
        var kinds = ClusterApi.KindsOf(context);
        var after = await StartAsync(context);
        if (Interlocked.Increment(ref _open) > most)
        {
            Interlocked.Decrement(ref _open);
            context.Response.Headers.RetryAfter = "10";
            throw new WebProblem(StatusCodes.Status503ServiceUnavailable,
                $"{most} pages follow this seed's events already: close one of them, or ask another seed");
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, ended);
        over.CancelAfter(Longest);
        try
        {
            JsonEndpoint.BeginEvents(context);
            await JsonEndpoint.SendEventsAsync(context, "retry: 2000\n\n", over.Token);
            await FollowAsync(context, new ObservationQuery(after, run, kinds, MostAtOnce), over.Token);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // The client has gone, the server ends, or the client has to come back.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private async Task FollowAsync(HttpContext context, ObservationQuery query, CancellationToken cancel)
    {
        var (sent, shown, problem) = (web.Time.GetTimestamp(), new Dictionary<RunId, (string Name, string Text)>(), (string?)null);
        var compared = (long?)null;
        while (true)
        {
            var text = "";
            try
            {
                var observed = await web.Control.ObservedAsync(query, cancel);
                if (observed.Count > 0)
                {
                    var lines = new ObservationLines(await web.NodeNamesAsync(cancel));
                    text = string.Concat(observed.Select(o =>
                        $"id: {o.Id}\nevent: observation\ndata: {JsonEndpoint.Text(ClusterApi.Object(o, lines))}\n\n"));
                    query = query with { After = observed[^1].Id };
                }
                else if (compared is null || web.Time.GetElapsedTime(compared.Value) >= beat)
                {
                    // The database may have been set back to one with earlier ids than the client's: what comes next is new all the same.
                    query = query with { After = Math.Min(query.After, await NewestAsync(cancel)) };
                    compared = web.Time.GetTimestamp();
                }

                text += await RunsAsync(query.Run, shown, cancel);
                problem = null;
            }
            catch (ElasticException e)
            {
                // The supervisors are moving, or the database is away: the page says so, and sees the rest later.
                if (e.Message != problem)
                    text += Event("problem", new JsonObject { ["detail"] = problem = e.Message });
            }

            if (text.Length == 0 && web.Time.GetElapsedTime(sent) >= beat)
                text = ": beat\n\n";
            if (text.Length > 0)
            {
                await JsonEndpoint.SendEventsAsync(context, text, cancel);
                sent = web.Time.GetTimestamp();
            }

            await Task.Delay(look, web.Time, cancel);
        }
    }

    // Views that have changed, as many as one event takes: the others come with the next look. And the names that no run has any more.
    private async Task<string> RunsAsync(RunId? only, Dictionary<RunId, (string Name, string Text)> shown, CancellationToken cancel)
    {
        var views = (await web.Runs.GetAsync(cancel)).Where(r => only is null || r.RunId == only).ToList();
        var changed = new List<JsonNode>();
        foreach (var view in views)
        {
            var json = RunsApi.Object(view);
            var text = JsonEndpoint.Text(json);
            if (shown.GetValueOrDefault(view.RunId).Text == text)
                continue;
            shown[view.RunId] = (view.Name.Value, text);
            changed.Add(json);
            if (changed.Count == MostRuns)
                break;
        }

        var gone = shown.Keys.Except(views.Select(v => v.RunId)).ToList();
        var names = gone.Select(run => shown[run].Name).Except(views.Select(v => v.Name.Value)).ToList();
        gone.ForEach(run => shown.Remove(run));
        return changed.Count == 0 && names.Count == 0 ? ""
            : Event("runs", new JsonObject { ["runs"] = new JsonArray([.. changed]), ["gone"] = CommandOutput.Texts(names) });
    }

    // After what the client has; a new one begins with what comes.
    private async Task<long> StartAsync(HttpContext context)
    {
        var last = context.Request.Headers["Last-Event-ID"].ToString();
        if (last.Length > 0)
            return long.TryParse(last, out var id) && id >= 0
                ? id : throw WebProblem.Invalid($"Last-Event-ID: {OneLine.Of(last, 40)}: use the id of an event");
        if (Query.Text(context, "after") is not null)
            return Query.Number(context, "after", 0, 0, long.MaxValue);
        return await NewestAsync(context.RequestAborted);
    }

    private async Task<long> NewestAsync(CancellationToken cancel) =>
        await web.Control.ObservedAsync(new ObservationQuery(AtMost: 1, Newest: true), cancel) is [var newest] ? newest.Id : 0;

    private static string Event(string name, JsonObject data) => $"event: {name}\ndata: {JsonEndpoint.Text(data)}\n\n";
}
