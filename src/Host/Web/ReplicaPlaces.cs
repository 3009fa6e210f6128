using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Storage;

namespace Elastic.Host.Web;

/// <summary>Which node computes each replica of a run, and how replicas have moved, by the steps that nodes have reported.</summary>
internal static class ReplicaPlaces
{
    /// <summary>What is read for it.</summary>
    public static readonly IReadOnlyList<Type> Kinds = [typeof(StepLoss)];

    /// <summary>The newest steps that are read, and the newest moves that are shown.</summary>
    public const int Steps = 2000, Moves = 100;

    /// <param name="observed">Oldest first.</param>
    /// <param name="nameOf">A node's name for people.</param>
    /// <param name="nodes">Nodes that are there now.</param>
    public static JsonObject Of(
        RunId run, IEnumerable<StoredObservation> observed, Func<NodeId, string> nameOf, IEnumerable<NodeView> nodes)
    {
        var together = ReplicaWork.Together(run, nodes).ToLookup(t => t.Replica, t => t.Stages);
        var (places, moves) = (new SortedDictionary<int, (StepLoss Step, DateTimeOffset At)>(), new List<JsonObject>());
        foreach (var (step, at) in observed.Where(o => o.What is StepLoss).Select(o => ((StepLoss)o.What!, o.At)))
        {
            if (places.TryGetValue(step.Replica, out var before) && before.Step.Node != step.Node)
            {
                moves.Add(new JsonObject
                {
                    ["at"] = Time(at),
                    ["replica"] = step.Replica,
                    ["round"] = step.Round,
                    ["from"] = nameOf(before.Step.Node),
                    ["to"] = nameOf(step.Node),
                });
            }

            places[step.Replica] = (step, at);
        }

        return new JsonObject
        {
            ["replicas"] = new JsonArray([.. places.Values.Select(p => new JsonObject
            {
                ["replica"] = p.Step.Replica,
                ["node"] = nameOf(p.Step.Node),
                ["round"] = p.Step.Round,
                ["step"] = p.Step.Step,
                ["at"] = Time(p.At),
                ["stages"] = ReplicaWork.Json(together[p.Step.Replica].SelectMany(s => s)),
            })]),
            ["moves"] = new JsonArray([.. moves.TakeLast(Moves)]),
        };
    }

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
