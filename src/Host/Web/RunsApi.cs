using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>What the API says of runs.</summary>
internal sealed class RunsApi(WebContext web)
{
    private const int UsualRuns = 200, MostRuns = 1000;
    private const int UsualPoints = 1000, MostPoints = 5000;

    // A chart is some hundred columns wide, and a column shows a lowest and a highest loss; the rest is for who zooms.
    private const int UsualOfCurve = 2000;

    private const int UsualRounds = 50, MostRounds = 500;

    private readonly SourceScores _sources = new(web.Control.ObservedAsync);

    /// <summary>All runs, page by page.</summary>
    public async Task<JsonObject> ListAsync(HttpContext context)
    {
        var (limit, after) = (Query.Limit(context, UsualRuns, MostRuns), Query.Text(context, "after"));
        var runs = (await web.Runs.GetAsync(context.RequestAborted)).OrderBy(r => r.Name.Value, StringComparer.Ordinal)
            .Where(r => after is null || string.CompareOrdinal(r.Name.Value, after) > 0).Take(limit + 1).ToList();
        return new JsonObject
        {
            ["runs"] = new JsonArray([.. runs.Take(limit).Select(Object)]),
            ["next"] = runs.Count > limit ? runs[limit - 1].Name.Value : null,
        };
    }

    /// <summary>One run with its settings and segments. While no supervisor answers, without its view.</summary>
    public async Task<JsonObject> ShowAsync(HttpContext context)
    {
        var curve = await CurveAsync(context);
        var settings = SettingHistory.Of(curve);
        RunView? view = null;
        string? problem = null;
        try
        {
            view = (await web.Runs.GetAsync(context.RequestAborted)).FirstOrDefault(r => r.RunId == curve.Id);
        }
        catch (UnavailableException e)
        {
            problem = e.Message;
        }

        return new JsonObject
        {
            ["run"] = curve.Id.Name.Value,
            ["runId"] = curve.Id.Value,
            ["view"] = view is null ? null : Object(view),
            ["viewProblem"] = problem,
            ["corpus"] = curve.Corpus.Hex,
            ["settings"] = new JsonObject(settings.Select(s => KeyValuePair.Create(s.Setting.Key, s.Newest))),
            ["changedFromRound"] = new JsonObject(settings.Where(s => s.FromRound is not null).Select(
                s => KeyValuePair.Create(s.Setting.Key, (JsonNode?)s.FromRound))),
            ["segments"] = new JsonArray([.. curve.Segments.Select(s => new JsonObject
            {
                ["fromRound"] = s.FromRound,
                ["rounds"] = s.Rounds,
                ["replicas"] = s.Replicas,
                ["innerSteps"] = s.InnerSteps,
                ["sequences"] = s.Sequences,
                ["microBatches"] = s.MicroBatches,
                ["firstSample"] = s.FirstSample,
                ["firstStep"] = s.FirstStep,
            })]),
        };
    }

    /// <summary>A run's losses after each round; after the rounds that matter for a drawing where there are very many.</summary>
    public async Task<JsonObject> LossesAsync(HttpContext context)
    {
        var limit = Query.Limit(context, UsualPoints, MostPoints);
        var after = Query.Number(context, "after", -1, -1, int.MaxValue);
        var most = Query.NumberOrAll(context, "points", UsualOfCurve, ThinnedCurve.Fewest, MostPoints);
        var curve = await CurveAsync(context);
        // All of it before the page is cut out: whoever reads page by page, or what has come since, gets what a whole answer has.
        var thinned = ThinnedCurve.Of(curve.Points, most ?? int.MaxValue);
        var points = thinned.Points.Where(p => p.Version > after).Take(limit + 1).ToList();
        var sources = await _sources.AfterAsync(curve.Id, after, context.RequestAborted);
        return new JsonObject
        {
            ["run"] = curve.Id.Name.Value,
            ["runId"] = curve.Id.Value,
            ["points"] = new JsonArray([.. points.Take(limit).Select(p => Point(p, sources[p.Version]))]),
            ["next"] = points.Count > limit ? points[limit - 1].Version : null,
            ["thinned"] = thinned.BucketRounds == 1 ? null : new JsonObject
            {
                ["points"] = thinned.Points.Count,
                ["of"] = curve.Points.Count,
                ["bucketRounds"] = thinned.BucketRounds,
                ["detail"] = $"{thinned.Points.Count} of {curve.Points.Count} points: the first, the last, and of every "
                    + $"{thinned.BucketRounds} rounds those with the lowest and the highest losses; ?points=all has all",
            },
        };
    }

    /// <summary>A run's newest rounds: their phases, what was lost, and goodput.</summary>
    public async Task<JsonObject> RoundsAsync(HttpContext context)
    {
        var limit = Query.Limit(context, UsualRounds, MostRounds);
        var run = (await CurveAsync(context)).Id;
        var observed = await web.Control.ObservedAsync(
            new ObservationQuery(
                Run: run, Kinds: RoundTimeline.Kinds, AtMost: RoundTimeline.ObservationsOf(limit), Newest: true),
            context.RequestAborted);
        return RoundTimeline.Of(observed, await web.NodeNamesAsync(context.RequestAborted), limit);
    }

    /// <summary>Which node computes which replica, and how they moved.</summary>
    public async Task<JsonObject> ReplicasAsync(HttpContext context)
    {
        var run = (await CurveAsync(context)).Id;
        var observed = await web.Control.ObservedAsync(
            new ObservationQuery(Run: run, Kinds: ReplicaPlaces.Kinds, AtMost: ReplicaPlaces.Steps, Newest: true), context.RequestAborted);
        return ReplicaPlaces.Of(
            run, observed, await web.NodeNamesAsync(context.RequestAborted), await web.KnownNodesAsync(context.RequestAborted));
    }

    /// <summary>The settings in which two runs differ.</summary>
    public async Task<JsonObject> CompareAsync(HttpContext context)
    {
        var (one, other) = (await NamedAsync(context, "a"), await NamedAsync(context, "b"));
        return new JsonObject
        {
            ["a"] = one.Id.Name.Value,
            ["b"] = other.Id.Name.Value,
            ["differences"] = new JsonArray([.. RunComparison.Settings(one, other).Select(s => s.Json)]),
        };
    }

    /// <summary>A run as <c>pbm run status --json</c> says it, with what a page needs besides.</summary>
    public static JsonObject Object(RunView view)
    {
        var json = RunJson.Object(view);
        json["totalSteps"] = view.TotalSteps;
        json["totalTokens"] = view.TotalTokens;
        return json;
    }

    private Task<RunCurve> CurveAsync(HttpContext context) =>
        web.CurveAsync(Query.Run(Query.Path(context, "run"), "path"), context.RequestAborted);

    private Task<RunCurve> NamedAsync(HttpContext context, string name) => web.CurveAsync(
        Query.Run(
            Query.Text(context, name) ?? throw WebProblem.Invalid($"{name} is missing: name two runs, ?a=ONE&b=OTHER"), name),
        context.RequestAborted);

    private static JsonObject Point(CurvePoint point, IEnumerable<ScoreOfSource> sources) => new()
    {
        ["round"] = point.Version,
        ["tokens"] = point.Tokens,
        ["trainLoss"] = JsonNumber.Finite(point.TrainLossNats),
        ["valLoss"] = JsonNumber.Finite(point.Score?.LossNats),
        ["bitsPerByte"] = JsonNumber.Finite(point.Score?.BitsPerByte),
        ["sources"] = sources.ToList() is { Count: > 0 } some
            ? new JsonObject(some.Select(s => KeyValuePair.Create(s.Source, JsonNumber.Finite(s.Nats / s.Targets)))) : null,
    };
}
