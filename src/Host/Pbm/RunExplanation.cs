using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary>
/// Why a run stands where it stands: what its coordinator waits for, who has which work, how long rounds take, and what went wrong lately.
/// </summary>
internal static class RunExplanation
{
    // More says nothing of now.
    private const int Rounds = 20, Reasons = 20;

    /// <summary>What is read of the run's observations.</summary>
    public static ObservationQuery OfRun(RunId run) => new(
        Run: run, AtMost: 400, Newest: true,
        Kinds:
        [
            typeof(PhaseDuration), typeof(WorkGivenAgain), typeof(ResultLost), typeof(StepsSkipped), typeof(DeviceLost),
            typeof(SplitSmaller), typeof(NodeQuarantined), typeof(RunFailed),
        ]);

    /// <summary>What is read of the others.</summary>
    public static readonly ObservationQuery OfCluster = new(
        AtMost: Reasons, Newest: true,
        Kinds: [typeof(NodeLost), typeof(NodeJoined), typeof(SupervisionBegan), typeof(ObservationsDropped)]);

    /// <param name="runs">All of them.</param>
    /// <param name="observed">In any order.</param>
    public static IEnumerable<PbmLine> Lines(
        RunView run, IReadOnlyList<RunView> runs, IReadOnlyList<NodeView> nodes, IEnumerable<StoredObservation> observed)
    {
        var all = observed.OrderBy(o => o.Id).ToList();
        yield return new PbmLine(
            $"run {run.Name}: {(run.Failure is null ? RunLines.Phase(run) : "failed")}, round {run.Round}/{run.Rounds}",
            RunJson.Object(run));
        yield return new PbmLine(Reason(run));
        yield return new PbmLine(RunQueue.Place(run, runs, nodes));
        foreach (var segment in run.Segments)
            yield return new PbmLine($"its settings {(segment.FromRound > run.Round ? "change" : "changed")} {RunLines.Segment(segment)}");
        foreach (var node in nodes.OrderBy(n => n.Address, StringComparer.Ordinal))
        {
            var work = WorkOf(run.RunId, node).ToList();
            yield return new PbmLine(
                $"node {node.Address} ({node.State}, {(node.Devices.Length == 0 ? "no device" : NodePalette.Devices(node.Devices))}): "
                + (work.Count == 0 ? "nothing of this run" : string.Join("; ", work))
                + (run.Resting.FirstOrDefault(r => r.Node == node.Node) is { } rests ? $"; it rests {RunLines.Rest(rests)}" : ""),
                new JsonObject
                {
                    ["node"] = node.Address,
                    ["state"] = node.State,
                    ["work"] = new JsonArray([.. work.Select(w => JsonValue.Create(w))]),
                });
        }

        foreach (var (round, replica, stages) in ReplicaWork.Together(run.RunId, nodes))
            yield return new PbmLine(
                $"replica {replica} of round {round}: {string.Join(", ", stages.Select(s => $"stage {s.Stage} on {s.Node}"))}",
                new JsonObject { ["round"] = round, ["replica"] = replica, ["stages"] = ReplicaWork.Json(stages) });

        if (Phases(all) is { Count: > 0 } phases)
            yield return new PbmLine(
                $"of the last rounds, each took, in the middle: {string.Join(", ", phases.Select(p => $"{p.Phase} {Seconds(p.Median)}"))}",
                new JsonObject
                {
                    ["medianSeconds"] = new JsonObject(phases.Select(p => KeyValuePair.Create(p.Phase, (JsonNode?)p.Median))),
                });
        var lately = all.Where(o => o.What is not PhaseDuration).TakeLast(Reasons).ToList();
        yield return new PbmLine(lately.Count == 0 ? "nothing has gone wrong lately" : "what happened lately:");
        var lines = new ObservationLines(NamesOf(nodes));
        foreach (var one in lately)
            yield return new PbmLine($"  {lines.Of(one)}", ObservationJson.Of(one));
    }

    /// <summary>Names of nodes for people: their addresses, where they are known.</summary>
    public static Func<NodeId, string> NamesOf(IEnumerable<NodeView> nodes)
    {
        var addresses = nodes.DistinctBy(n => n.Node).ToDictionary(n => n.Node, n => n.Address);
        return node => addresses.GetValueOrDefault(node, node.Value);
    }

    private static string Reason(RunView run) => run switch
    {
        { Failure: { } failure } => $"it cannot go on: {failure}",
        { WaitsFor: { } waits } => $"it waits for {waits}",
        { Phase: RunPhase.Finished, EndedEarly: { } ended } => $"it waits for nothing: it has ended early, {ended}",
        { Phase: RunPhase.Finished } => "it waits for nothing: all its rounds are committed",
        { Phase: RunPhase.Paused } => $"it is paused: pbm run resume -n {run.Name} goes on with it",
        { Phase: RunPhase.Stopped } => $"it was stopped: pbm run start -n {run.Name} goes on with it",
        _ => "it waits for nothing but work in flight",
    };

    private static IEnumerable<string> WorkOf(RunId run, NodeView node) =>
        node.Work.Where(w => w.StartsWith($"{run} ", StringComparison.Ordinal)).Select(w => w[(run.Value.Length + 1)..]);

    private static List<(string Phase, double Median)> Phases(List<StoredObservation> observed) =>
    [
        .. observed.Select(o => o.What).OfType<PhaseDuration>()
            .Where(p => p.Phase is RunPhase.Computing or RunPhase.Averaging or RunPhase.Assembling)
            .GroupBy(p => p.Phase).OrderBy(p => p.Key)
            .Select(p => (p.Key.ToString().ToLowerInvariant(), Median([.. p.TakeLast(Rounds).Select(d => d.Seconds).Order()]))),
    ];

    private static double Median(IReadOnlyList<double> sorted) =>
        (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;

    private static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.00} s");
}
