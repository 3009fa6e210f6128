using System.Text.Json.Nodes;
using Elastic.Host.Display;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>What <c>elastic run</c> shows of a run of a data directory, for people and for programs.</summary>
internal static class KeptRunFacts
{
    /// <summary>Names and values for people; what is not known is left out.</summary>
    public static IEnumerable<(string Name, string Value)> Of(KeptRun run)
    {
        List<(string Name, string Value)> facts =
        [
            ("run", run.Id.Name.Value), ("id", run.Id.Value), ("state", run.State), ("problem", run.Stored?.Problem ?? ""),
            ("round", Round(run) is var (round, rounds) ? $"{round}/{rounds}" : ""), ("val loss", Score(run)),
            ("fingerprint", run.Stored?.State?.Fingerprint?.Hex ?? ""), ("corpus", run.Stored?.State?.Corpus?.Hex ?? ""),
            ("arithmetic", run.Stored?.State?.Arithmetic ?? ""), ("folder", $"{run.Folder.Root}, {Units.Bytes(run.Bytes)}"),
            ("blobs", Units.Bytes(KeptRuns.SizeOf(run.Folder.Blobs))),
            .. CheckpointFiles.In(run.Folder.Checkpoints).Select(path => ("checkpoint", path)),
            .. Settings(run).Select(s => ("setting", $"{s.Key} = {s.Value}")),
            .. Segments(run).Select(s => ("segment", RunLines.Segment(s))),
        ];
        return facts.Where(f => f.Value.Length > 0);
    }

    /// <summary>A run of the list: null stands for what is not known.</summary>
    public static JsonObject Json(KeptRun run) => new()
    {
        ["run"] = run.Id.Name.Value,
        ["runId"] = run.Id.Value,
        ["state"] = run.State,
        ["problem"] = run.Stored?.Problem,
        ["round"] = Round(run)?.Round,
        ["rounds"] = Round(run)?.Rounds,
        ["valLoss"] = JsonNumber.Finite(run.Stored?.State?.Score?.LossNats),
        ["fingerprint"] = run.Stored?.State?.Fingerprint?.Hex,
        ["folder"] = run.Folder.Root,
        ["bytes"] = run.Bytes,
    };

    /// <summary>The facts of <see cref="Json"/>, with all else that there is to know.</summary>
    public static JsonObject WholeJson(KeptRun run)
    {
        var json = Json(run);
        json["corpus"] = run.Stored?.State?.Corpus?.Hex;
        json["arithmetic"] = run.Stored?.State?.Arithmetic;
        json["blobBytes"] = KeptRuns.SizeOf(run.Folder.Blobs);
        json["checkpoints"] = CommandOutput.Texts(CheckpointFiles.In(run.Folder.Checkpoints));
        json["settings"] = new JsonObject(Settings(run).Select(s => KeyValuePair.Create(s.Key, (JsonNode?)s.Value)));
        json["segments"] = RunJson.Segments(Segments(run));
        return json;
    }

    /// <summary>Null for a run of which the journal knows nothing.</summary>
    public static (int Round, int Rounds)? Round(KeptRun run) =>
        run.Stored?.State is { Exists: true } state ? (state.Round, Coordination.RunPlan.Of(state).Rounds) : null;

    public static string Score(KeptRun run) => Units.Loss(run.Stored?.State?.Score?.LossNats);

    // Those that are not the defaults.
    private static IEnumerable<(string Key, string Value)> Settings(KeptRun run) => run.Stored?.State?.Settings is { } text
        ? SettingsRecord.ValuesOf(SettingsText.Read(text)).Where(v => v.Setting.Show(v.Value) != v.Setting.ShownDefault)
            .Select(v => (v.Setting.Key, v.Setting.Show(v.Value)))
        : [];

    private static Messages.Runs.RunSegment[] Segments(KeptRun run) =>
        run.Stored?.State is { Exists: true } state ? Coordination.RunPlan.Of(state).Changes : [];
}
