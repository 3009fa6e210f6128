using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm run set</c>: changes settings of a run from a round on that has not begun.</summary>
internal static class RunSet
{
    public static readonly ArgumentHelp Key = new("k", "key", "KEY",
        "A setting, e.g. optimizer.learning-rate. Repeatable, each followed by its -v.", Required: true, Repeatable: true);

    public static readonly ArgumentHelp NewValue = new("v", "value", "VALUE",
        "Its new value, as in a configuration file. Repeatable.", Required: true, Repeatable: true);

    public static readonly ArgumentHelp Round = new("r", "round", "NUMBER",
        "The first round under the new values. Default: the next one that has not begun.");

    public static readonly ArgumentHelp Yes = new("y", "yes", "",
        "Changes it. Without it the command only says what would change, and a terminal asks.", Kind: ArgumentKind.Flag, Confirms: true);

    public static string Examples => """
        pbm run set -n books -k optimizer.learning-rate -v 5e-4       says what it would change, and asks
        pbm run set -n books -k run.replicas -v 4 -k run.inner-steps -v 10 --yes
        pbm run set -n books -k run.rounds -v 300 -r 120 --yes        from round 120 on
        pbm run set -n books -k corpus.mixture -v '[books=2, web=0.5]'
        """;

    public static string Description =>
        "Changes settings of a run while it goes on, from its next round on: the learning rate and its schedule, the optimizer's numbers, "
        + "batch, run.replicas, run.inner-steps, run.rounds or run.epochs, corpus.mixture. The change is an event of the journal and part "
        + "of the answer.";

    /// <summary>What a run that is there was started with.</summary>
    /// <exception cref="ElasticException">The journal does not say.</exception>
    public static async Task<RememberedRun> RememberedAsync(IClusterControl control, RunName run, CancellationToken cancel) =>
        await control.RememberedAsync(run, cancel)
            ?? throw new ElasticException($"the journal does not say what run {run} was started with: try again");

    /// <param name="checkMemory">Refuses, with the settings so far and the new ones, what a node has no memory for.</param>
    public static async IAsyncEnumerable<PbmLine> LinesAsync(
        IClusterControl control, RunView run, PbmCall call, Action<TrainingSettings, TrainingSettings> checkMemory,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        var (name, isSaid) = (run.Name.Value, call.Values(Yes).Count > 0);
        var remembered = await RememberedAsync(control, run.Name, cancel);
        var asked = new RequestedRun([], [], name, Assignments(call)) { SetOption = "-k" }
            .Load(remembered with { Settings = remembered.Newest }).Training;
        checkMemory(remembered.Newest, asked);
        var text = PartialSettings.Between(remembered.Newest, asked);
        var reply = text.Length == 0
            ? new RunReply.Accepted(run.Name, run.RunId, $"nothing changes: run {name} has these settings")
            : await control.SetAsync(new RunRequest.Set(run.Name, call.Origin, text, RoundOf(call.Value(Round)), !isSaid), cancel);
        if (reply is RunReply.Refused refused)
            throw new ElasticException(refused.Why);
        var lines = ((RunReply.Accepted)reply).Notice?.Split('\n') ?? ["this request was carried out before"];
        yield return new PbmLine(null, new JsonObject
        {
            ["run"] = name,
            ["set"] = isSaid && text.Length > 0,
            ["lines"] = new JsonArray([.. lines.Select(l => JsonValue.Create(l))]),
        });
        foreach (var line in lines)
            yield return new PbmLine(line);
        // A finished run accepts only what makes it longer.
        var goesOn = run.Phase == RunPhase.Finished && reply is RunReply.Accepted { IsFinished: var stays } && stays != isSaid;
        if (text.Length > 0)
            yield return new PbmLine(isSaid
                ? $"run {name} is set{(goesOn ? ", and goes on now" : "")}; all its segments: pbm run status -n {name}"
                : $"nothing is changed yet: the same command with --yes changes it{(goesOn ? ", and the finished run goes on" : "")}");
    }

    private static string[] Assignments(PbmCall call)
    {
        var (keys, values) = (call.Values(Key), call.Values(NewValue));
        return keys.Count == values.Count
            ? [.. keys.Zip(values, (key, value) => $"{key}={value}")]
            : throw new SettingsException($"{keys.Count} times -k and {values.Count} times -v: give each key its value, -k KEY -v VALUE");
    }

    private static int? RoundOf(string? text) => text is null ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var round) ? round
        : throw new SettingsException($"--round {text}: use the number of a round");
}
