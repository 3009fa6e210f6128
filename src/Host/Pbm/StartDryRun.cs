using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm run start --dry-run</c>: what the start would do, and what it would take of the nodes that are here.</summary>
internal static class StartDryRun
{
    // A list of sources may be long; JSON has all of it.
    private const int LongestValue = 60;

    /// <exception cref="ElasticException">The start would be refused, or no node has the memory.</exception>
    public static async IAsyncEnumerable<PbmLine> LinesAsync(
        IClusterControl control, ElasticSettings asked, Origin origin, [EnumeratorCancellation] CancellationToken cancel)
    {
        var preview = await control.PreviewAsync(asked.Training, asked.Corpus, origin, cancel);
        var view = (await control.RunsAsync(cancel)).FirstOrDefault(r => r.RunId == preview.Run?.Id);
        var refusal = RefusalOf(preview, view);
        // A plan of a network that does not train in its precision says so.
        var shares = NodeShare.Of(preview.Settings, preview.Run?.Arithmetic ?? "", await control.NodesAsync(cancel));
        refusal ??= shares.Count > 0 && shares.All(s => s.Problem is not null)
            ? $"no node has the memory; {shares[0].Node.Address}: {shares[0].Problem}" : null;
        var largest = shares.Where(s => s.Plan is not null).MaxBy(s => s.Plan!.Memory.Bytes);
        yield return new PbmLine(null, Json(preview, refusal is null, shares));
        foreach (var line in PlanLines.Run(asked.Title, largest?.Plan ?? TrainingPlan.OfReplica(preview.Settings, 1, 1)).Append("")
            .Concat(Start(preview, view)).Concat(Settings(preview)).Concat(Text(preview)).Append("").Concat(Nodes(preview, shares)))
            yield return new PbmLine(line);
        if (largest is { Plan: { } plan, Node: { Address: var address, FreeMemoryBytes: var free, Sharing: var sharing } })
        {
            foreach (var line in PlanLines.Memory(plan, $"on {address}, with {sharing}")
                .Prepend("").Append("").Concat(PlanLines.Work(plan)).Concat(PlanLines.Splits(plan, free > 0 ? free : long.MaxValue))
                .Concat(PlanLines.Stages(plan, free > 0 ? free : long.MaxValue)))
                yield return new PbmLine(line);
        }

        if (refusal is not null)
            throw new ElasticException(refusal);
        yield return new PbmLine("nothing was stored, and nothing started; without --dry-run the run starts");
    }

    // Whether a run is at work its coordinator knows, and the journal does not.
    private static string? RefusalOf(StartPreview preview, RunView? view) =>
        preview.Effect != StartEffect.BeginsAnew ? preview.Refusal
        : view is { Failure: null, Phase: not (RunPhase.Stopped or RunPhase.Finished) }
            ? $"{preview.Refusal}; or stop it: until it has committed a round, its name can be used anew" : null;

    private static IEnumerable<string> Start(StartPreview preview, RunView? view)
    {
        var id = preview.Run?.Id;
        var isRefused = preview.Effect != StartEffect.BeginsAnew && preview.Refusal is not null;
        // Of a run that is refused they may be more than can be counted.
        var rounds = !isRefused && (preview.Blocks is not null || preview.Settings.Run.Rounds is not null)
            ? $", of {Units.Many(RunPlan.RoundsOf(preview.Settings, preview.Blocks ?? 1), "round")}" : "";
        yield return "start        " + preview.Effect switch
        {
            _ when isRefused => id is null ? "refused: no run begins" : $"refused: run {id} stays as it is",
            StartEffect.Begins => $"a new run{rounds}",
            StartEffect.BeginsAnew => $"a new run{rounds}, in place of run {id}, which has committed no round",
            StartEffect.Changes => $"run {id} goes on with other settings at round {preview.Run!.Round}",
            _ when view is { Phase: RunPhase.Finished } => $"run {id} is finished, and stays so",
            _ => $"run {id} goes on at round {preview.Run!.Round}",
        };
        if (preview.Notice is { } notice)
            yield return $"             {notice}";
    }

    private static IEnumerable<string> Settings(StartPreview preview)
    {
        var changed = Changed(preview).Select(s => $"{s.Setting.Key} = {Cut(s.Value)} (default {Cut(s.Default)})").ToList();
        return changed.Count == 0 ? ["settings     all have their defaults"]
            : changed.Concat(SettingsWithoutEffect.Of(preview.Settings)).Select((line, i) => $"{(i == 0 ? "settings" : ""),-13}{line}");
    }

    private static IEnumerable<string> Text(StartPreview preview)
    {
        var files = preview.Files > 0 ? $" from {Units.Many(preview.Files, "file")}, {Units.Bytes(preview.Bytes)}" : "";
        yield return $"text         corpus {preview.Corpus.Short}{files}: " + (preview.Blocks is { } blocks
            ? $"built; {Units.Many(blocks, "block")} to train on, {preview.HeldOutBlocks} held out"
            : "the start builds it first; how many blocks it has is known then");
        foreach (var line in preview.PassedOver)
            yield return $"             {line}";
    }

    private static IEnumerable<string> Nodes(StartPreview preview, IReadOnlyList<NodeShare> shares)
    {
        if (shares.Count == 0 && preview.Settings.Run.Stages is > 1 and var nodes)
            return
            [
                $"a replica needs {nodes} nodes at once that compute by one arithmetic, and there are fewer now: the run would wait for "
                + "them",
            ];
        if (shares.Count == 0)
        {
            var arithmetic = preview.Run?.Arithmetic is { Length: > 0 } runs ? $" that computes by \"{runs}\"" : "";
            return [$"no node with devices{arithmetic} is here now: the run would wait for one"];
        }

        var stages = preview.Settings.Run.Stages;
        var left = preview.Settings.Run.Replicas - shares.Sum(s => s.Replicas) / stages;
        return
        [
            .. Table.Lay(["NODE", "DEVICES", ">REPLICAS", ">DEVICES OF EACH", ">NEEDS", ">FREE"], [.. shares.Select(s => (string[])
            [
                s.Node.Address, NodePalette.Devices(s.Node.Devices), $"{s.Replicas}", s.Plan is { } plan ? PlanLines.Devices(plan) : "1",
                s.Bytes is { } bytes ? Units.Bytes(bytes) : "",
                s.Node.FreeMemoryBytes > 0 ? Units.Bytes(s.Node.FreeMemoryBytes) : "",
            ])]),
            .. left == 0 ? Array.Empty<string>()
                : [$"{Units.Many(left, "replica")} of a round {(left == 1 ? "waits" : "wait")} until these are done: "
                    + (stages > 1 ? $"each needs {stages} nodes at once" : "there are more replicas than devices")],
            .. shares.Where(s => s.Plan is null).Select(
                s => $"{s.Node.Address}: the memory of {s.Node.Devices[0]} is libtorch's to allocate, and not known before"),
            .. shares.Where(s => s.Problem is not null).Select(s => $"{s.Node.Address}: {s.Problem}"),
            .. shares.Where(s => s.Plan is not null).Select(s => (s.Node, Notice: RunLines.IdleDevices(
                    preview.Settings with { Run = preview.Settings.Run with { Replicas = s.Replicas } }, s.Node.Devices.Length)))
                .Where(s => s.Notice is not null).Select(s => $"{s.Node.Address}: {s.Notice}"),
        ];
    }

    // Scripts rely on the keys: add to them, never rename one.
    private static JsonObject Json(StartPreview preview, bool starts, IReadOnlyList<NodeShare> shares) => new()
    {
        ["run"] = preview.Settings.Run.Name,
        ["runId"] = preview.Run?.Id.Value,
        ["starts"] = starts,
        ["effect"] = SettingKind.Word(preview.Effect),
        ["round"] = preview.Effect is StartEffect.Begins or StartEffect.BeginsAnew ? 0 : preview.Run!.Round,
        ["notice"] = preview.Notice,
        ["settings"] = new JsonArray([.. Changed(preview).Select(s => new JsonObject
        {
            ["key"] = s.Setting.Key,
            ["value"] = s.Value == SettingsDifference.None ? null : JsonNode.Parse(s.Value),
            ["partOfAnswer"] = s.Setting.PartOfAnswer,
        })]),
        ["corpus"] = preview.Corpus.Hex,
        ["isBuilt"] = preview.Blocks is not null,
        ["files"] = preview.Files,
        ["sourceBytes"] = preview.Bytes,
        ["blocks"] = preview.Blocks,
        ["heldOutBlocks"] = preview.Blocks is null ? null : preview.HeldOutBlocks,
        ["nodes"] = new JsonArray([.. shares.Select(Json)]),
    };

    private static JsonObject Json(NodeShare share)
    {
        var json = new JsonObject
        {
            ["node"] = share.Node.Address,
            ["nodeId"] = share.Node.Node.Value,
            ["devices"] = new JsonArray([.. share.Node.Devices.Select(d => JsonValue.Create(d))]),
            ["fits"] = share.Problem is null,
            ["problem"] = share.Problem,
        };
        if (share.Plan is { } plan)
        {
            PlanLines.Add(json, plan, share.Node.FreeMemoryBytes);
            json["zero"] = plan.Zero;
            json["offload"] = plan.Offload.ToString().ToLowerInvariant();
        }

        return json;
    }

    // The name is what everybody gives.
    private static IEnumerable<(Setting Setting, string Value, string Default)> Changed(StartPreview preview) =>
        SettingsDifference.FromDefaults(preview.Settings).Where(s => s.Setting.Key != "run.name");

    private static string Cut(string text) => text.Length > LongestValue ? $"{text[..(LongestValue - 1)]}…" : text;
}
