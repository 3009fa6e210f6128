using System.Text.Json.Nodes;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Host.Pbm;

/// <summary>Which runs get devices before which others, and on how many each computes now.</summary>
internal static class RunQueue
{
    /// <summary>1 for the runs of the highest priority among those at work; null for one that wants no devices.</summary>
    public static int? PlaceOf(RunView run, IEnumerable<RunView> all) => !WantsDevices(run)
        ? null : 1 + all.Where(WantsDevices).Select(r => r.Priority).Distinct().Count(p => p > run.Priority);

    /// <summary>Devices on which the run computes at this moment.</summary>
    public static int InUse(RunView run, IEnumerable<NodeView> nodes) =>
        nodes.Where(n => n.State != "suspected").SelectMany(n => n.Uses).Where(u => u.Job == run.RunId.Job).Sum(u => u.Devices);

    /// <summary>A sentence for each run that wants devices, in the order in which they get them.</summary>
    public static IEnumerable<string> Lines(IReadOnlyList<RunView> all, IReadOnlyList<NodeView> nodes) =>
        InOrder(all).Select(run => $"run {run.Name}: {Place(run, all, nodes)}");

    /// <summary>The runs that want devices as JSON, for scripts, in the order in which they get them.</summary>
    public static JsonArray Json(IReadOnlyList<RunView> all, IReadOnlyList<NodeView> nodes) =>
    [
        .. InOrder(all).Select(run => new JsonObject
        {
            ["run"] = run.Name.Value,
            ["priority"] = run.Priority,
            ["place"] = PlaceOf(run, all),
            ["devicesInUse"] = InUse(run, nodes),
            ["devices"] = run.Devices,
        }),
    ];

    /// <summary>Where one run stands.</summary>
    public static string Place(RunView run, IReadOnlyList<RunView> all, IReadOnlyList<NodeView> nodes) =>
        $"priority {run.Priority}, " + (PlaceOf(run, all) is { } place ? $"place {place} in the queue, " : "not in the queue, ")
        + $"computes on {InUse(run, nodes)} of {run.Devices} devices that may compute for it";

    private static IEnumerable<RunView> InOrder(IReadOnlyList<RunView> all) =>
        all.Where(WantsDevices).OrderByDescending(r => r.Priority).ThenBy(r => r.Name.Value, StringComparer.Ordinal);

    private static bool WantsDevices(RunView run) =>
        run.Failure is null && run.Phase is not (RunPhase.Finished or RunPhase.Stopped or RunPhase.Paused);
}
