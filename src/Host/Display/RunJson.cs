using System.Text.Json.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Host.Display;

/// <summary>A run as one JSON object, for scripts. Scripts rely on the keys: add to them, never rename one.</summary>
internal static class RunJson
{
    /// <summary>One line. Unknown values are null.</summary>
    public static string Write(RunView view) => Object(view).ToJsonString();

    /// <summary>The view as an object. Unknown values are null.</summary>
    public static JsonObject Object(RunView view) => new()
    {
        ["run"] = view.Name.Value,
        ["runId"] = view.RunId.Value,
        ["phase"] = view.Phase.ToString().ToLowerInvariant(),
        ["round"] = view.Round,
        ["rounds"] = view.Rounds,
        ["steps"] = view.Steps,
        ["tokens"] = view.Tokens,
        ["samples"] = view.Samples,
        ["trainLoss"] = JsonNumber.Finite(view.TrainLoss),
        ["valLoss"] = JsonNumber.Finite(view.ValLoss),
        ["bitsPerByte"] = JsonNumber.Finite(view.BitsPerByte),
        ["valSources"] = view.SourceScores is { } sources ? Sources(sources) : null,
        ["valLanguages"] = view.LanguageScores is { } languages ? Sources(languages, "language") : null,
        ["scoredRound"] = view.ScoredRound,
        ["bestRound"] = view.BestRound,
        ["bestLoss"] = JsonNumber.Finite(view.BestLoss),
        ["tokensPerSecond"] = JsonNumber.Finite(view.TokensPerSecond),
        ["learningRate"] = JsonNumber.Finite(view.LearningRate),
        ["lossScale"] = JsonNumber.Finite(view.LossScale),
        ["skippedSteps"] = view.SkippedSteps,
        ["fingerprint"] = view.Fingerprint?.Hex,
        ["segments"] = Segments(view.Segments),
        ["checkpoint"] = view.Checkpoint,
        ["checkpointVersion"] = view.CheckpointVersion,
        ["priority"] = view.Priority,
        ["nodes"] = view.Nodes,
        ["devices"] = view.Devices,
        ["resting"] = new JsonArray([.. view.Resting.Select(r => new JsonObject
        {
            ["node"] = r.Node.Value, ["address"] = r.Address, ["why"] = r.Why, ["secondsLeft"] = JsonNumber.Finite(r.SecondsLeft),
        })]),
        ["waitsFor"] = view.WaitsFor,
        ["endedEarly"] = view.EndedEarly,
        ["notice"] = view.Notice,
        ["failure"] = view.Failure,
    };

    /// <summary>Scores by source, as sums that merge.</summary>
    /// <param name="name">What they are told apart by.</param>
    public static JsonArray Sources(IEnumerable<SourceScore> sources, string name = "source") =>
    [
        .. sources.Select(s => new JsonObject
        {
            [name] = s.Source, ["nats"] = JsonNumber.Finite(s.Nats), ["targets"] = s.Targets, ["lossNats"] = JsonNumber.Finite(s.LossNats),
        }),
    ];

    /// <summary>Where settings change in mid-run, and what.</summary>
    public static JsonArray Segments(IEnumerable<RunSegment> segments) =>
    [
        .. segments.Select(s => new JsonObject
        {
            ["fromRound"] = s.FromRound,
            ["fromSample"] = s.FromSample,
            ["fromStep"] = s.FromStep,
            ["changes"] = new JsonArray([.. s.Changes.Select(c => JsonValue.Create(c))]),
        }),
    ];
}
