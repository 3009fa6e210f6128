using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Host.Display;

/// <summary>What a node computes of a replica: all of it, or a stage where several nodes compute it together.</summary>
/// <param name="Stage">0 for the first one, and for all of it.</param>
internal sealed partial record ReplicaWork(RunId Run, int Round, int Replica, int Stage)
{
    /// <summary>The replicas that a node says it computes.</summary>
    public static IEnumerable<ReplicaWork> Of(NodeView node) => node.Work.Select(w => Text().Match(w)).Where(m => m.Success)
        .Select(m => new ReplicaWork(
            new RunId(m.Groups["run"].Value), int.Parse(m.Groups["round"].ValueSpan), int.Parse(m.Groups["replica"].ValueSpan),
            m.Groups["stage"] is { Success: true, ValueSpan: var stage } ? int.Parse(stage) : 0));

    /// <summary>
    /// The replicas of a run that several nodes compute together, and which of them has which stage; a second attempt's, too.
    /// </summary>
    public static IReadOnlyList<(int Round, int Replica, IReadOnlyList<(int Stage, string Node)> Stages)> Together(
        RunId run, IEnumerable<NodeView> nodes) =>
    [
        .. nodes.SelectMany(n => Of(n).Where(w => w.Run == run).Select(w => (Work: w, Node: n.Address)))
            .GroupBy(w => (w.Work.Round, w.Work.Replica)).Where(g => g.Any(w => w.Work.Stage > 0)).OrderBy(g => g.Key)
            .Select(g => (g.Key.Round, g.Key.Replica, (IReadOnlyList<(int, string)>)
                [.. g.Select(w => (w.Work.Stage, w.Node)).OrderBy(w => w.Stage).ThenBy(w => w.Node, StringComparer.Ordinal)])),
    ];

    /// <summary>Stages and their nodes, for scripts.</summary>
    public static JsonArray Json(IEnumerable<(int Stage, string Node)> stages) =>
        [.. stages.Select(s => new JsonObject { ["stage"] = s.Stage, ["node"] = s.Node })];

    // As the supervisors write work down: "tiny-3k9v2mq7 compute 5 replica 0", "tiny-3k9v2mq7 compute-stage 5 replica 0 stage 1".
    [GeneratedRegex(
        @"\A(?<run>[A-Za-z0-9._\-]{1,80}) compute(?:-stage)? (?<round>[0-9]{1,9}) replica (?<replica>[0-9]{1,9})"
        + @"(?: stage (?<stage>[0-9]{1,4}))?\z", RegexOptions.NonBacktracking)]
    private static partial Regex Text();
}
