using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Storage;
using Microsoft.AspNetCore.Http;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Host.Web;

/// <summary>What the API says of nodes, members, and what was observed.</summary>
internal sealed class ClusterApi(WebContext web)
{
    private const int UsualObservations = 200, MostObservations = 1000;
    private const int UsualNodes = 200, MostNodes = 1000;

    private static readonly Dictionary<string, Type> Kinds = typeof(Observation).Assembly.GetTypes()
        .Where(t => t.IsSubclassOf(typeof(Observation)) && !t.IsAbstract)
        .ToDictionary(t => t.GetCustomAttributes(typeof(ObservedAsAttribute), false).Cast<ObservedAsAttribute>().Single().Kind);

    /// <summary>All nodes, page by page.</summary>
    public async Task<JsonObject> NodesAsync(HttpContext context)
    {
        var (limit, after) = (Query.Limit(context, UsualNodes, MostNodes), Query.Text(context, "after"));
        var nodes = (await web.Nodes.GetAsync(context.RequestAborted)).OrderBy(n => n.Address, StringComparer.Ordinal)
            .Where(n => after is null || string.CompareOrdinal(n.Address, after) > 0).Take(limit + 1).ToList();
        return new JsonObject
        {
            ["nodes"] = new JsonArray([.. nodes.Take(limit).Select(Object)]),
            ["next"] = nodes.Count > limit ? nodes[limit - 1].Address : null,
        };
    }

    /// <summary>How much a node computes at this moment: it is asked, and measures for a moment.</summary>
    public async Task<JsonObject> LoadAsync(HttpContext context)
    {
        var name = Endpoint.Normalized(Query.Path(context, "node"));
        var node = (await web.Nodes.GetAsync(context.RequestAborted)).FirstOrDefault(n => n.Address == name || n.Node.Value == name)
            ?? throw new NotFoundException($"there is no node {OneLine.Of(name, 100)}: GET /api/v1/nodes lists all");
        var reply = await web.Loads.GetAsync(node.Node, context.RequestAborted);
        if (reply is not NodeReply.Threads threads)
            throw new ElasticException(reply is NodeReply.Refused refused ? refused.Why : $"node {node.Address} gave another answer");
        return new JsonObject
        {
            ["node"] = node.Address,
            ["cpuCores"] = Math.Round(threads.Views.Sum(t => t.CpuShare), 2),
            ["freeMemoryBytes"] = node.FreeMemoryBytes > 0 ? node.FreeMemoryBytes : null,
            ["does"] = new JsonArray([.. threads.Lines.Select(l => JsonValue.Create(OneLine.Of(l)))]),
        };
    }

    /// <summary>The members, who supervises, and where the seeds serve their pages.</summary>
    public async Task<JsonObject> ClusterAsync(HttpContext context)
    {
        var json = ClusterPalette.Json(await web.Cluster.GetAsync(context.RequestAborted), []);
        json.Remove("warnings");
        json["dashboards"] = new JsonArray([
            .. (await web.Dashboards.GetAsync(context.RequestAborted)).Select(d => JsonValue.Create(d))]);
        return json;
    }

    /// <summary>What was observed, page by page: those after an id, or the newest.</summary>
    public async Task<JsonObject> ObservationsAsync(HttpContext context)
    {
        var limit = Query.Limit(context, UsualObservations, MostObservations);
        var after = Query.Number(context, "after", -1, 0, long.MaxValue);
        var run = Query.Text(context, "run") is { } name
            ? (await web.CurveAsync(Query.Run(name, "run"), context.RequestAborted)).Id : (RunId?)null;
        var observed = await web.Control.ObservedAsync(
            new ObservationQuery(Math.Max(0, after), run, KindsOf(context), limit, Newest: after < 0), context.RequestAborted);
        var lines = new ObservationLines(await web.NodeNamesAsync(context.RequestAborted));
        return new JsonObject
        {
            ["observations"] = new JsonArray([.. observed.Select(o => Object(o, lines))]),
            ["next"] = observed.Count > 0 ? observed[^1].Id : Math.Max(0, after),
        };
    }

    /// <summary>An observation, with a sentence for people.</summary>
    public static JsonObject Object(StoredObservation observed, ObservationLines lines)
    {
        var json = ObservationJson.Of(observed);
        json["text"] = lines.Of(observed);
        return json;
    }

    /// <summary>The kinds that a request names; null for all.</summary>
    public static IReadOnlyList<Type>? KindsOf(HttpContext context) => Query.Text(context, "kind") is not { } kinds ? null :
    [
        .. kinds.Split(',').Select(kind => Kinds.GetValueOrDefault(kind) ?? throw WebProblem.Invalid(
            $"kind={OneLine.Of(kind, 60)}: nothing is observed under this name; "
            + EditDistance.Suggest(OneLine.Of(kind, 60), Kinds.Keys.Order(StringComparer.Ordinal)))),
    ];

    private static JsonObject Object(NodeView node)
    {
        var json = NodePalette.Json(node);
        json["replicas"] = new JsonArray([.. ReplicaWork.Of(node).Select(w => new JsonObject
        {
            ["run"] = w.Run.Name.Value,
            ["round"] = w.Round,
            ["replica"] = w.Replica,
            ["stage"] = w.Stage,
        })]);
        return json;
    }
}
