namespace Elastic.Messages.Settings;

/// <summary>
/// Settings that somebody has set and that count for nothing, because another one is as it is. They are said and not refused: who tries
/// several optimizers or schedules with one file leaves the numbers of all of them in it.
/// </summary>
public static class SettingsWithoutEffect
{
    // Where the second one says why, the first ones count for nothing.
    private static readonly (string[] Keys, Func<TrainingSettings, string?> Why)[] OfRuns =
    [
        (["optimizer.momentum", "optimizer.adamw-rate"], s => s.Optimizer.Kind == "muon" ? null : $"optimizer.kind = {s.Optimizer.Kind}"),
        (["optimizer.outer-learning-rate", "optimizer.outer-momentum"],
            s => s.Run.Averaging == AveragingMethod.Nesterov ? null : $"run.averaging = {SettingKind.Word(s.Run.Averaging)}"),
        (["optimizer.decay-share", "optimizer.decay-shape"],
            s => s.Optimizer.Schedule == LearningRateSchedule.WarmupStableDecay
                ? null : $"optimizer.schedule = {SettingKind.Word(s.Optimizer.Schedule)}"),
        (["model.lora-alpha"], s => s.Model.Lora.IsUsed ? null : "model.lora-rank = 0"),
        (["corpus.stream-window"],
            s => s.Corpus.Order == CorpusOrder.Stream ? null : $"corpus.order = {SettingKind.Word(s.Corpus.Order)}"),
        (["corpus.held-out"], s => s.Corpus.Validation.Count > 0 ? "corpus.validation names what is held out" : null),
    ];

    private static readonly (string[] Keys, Func<NodeSettings, string?> Why)[] OfNodes =
    [
        (["node.dashboard-port", "node.dashboard-certificate", "node.dashboard-key", "node.public-url", "node.trusted-proxies"],
            s => s.Dashboard ? null : "node.dashboard = false"),
        (["node.ops-token-file"], s => s.OpsPort is not null ? null : "node.ops-port is not set"),
    ];

    /// <summary>A sentence for each of a run.</summary>
    public static IEnumerable<string> Of(TrainingSettings settings) => Of(settings, OfRuns);

    /// <summary>A sentence for each of a node.</summary>
    public static IEnumerable<string> Of(NodeSettings settings) => Of(settings, OfNodes);

    private static IEnumerable<string> Of<T>(T settings, (string[] Keys, Func<T, string?> Why)[] rules) where T : SettingsGroup
    {
        var values = SettingsRecord.ValuesOf(settings).ToDictionary(v => v.Setting.Key);
        return from rule in rules
               let why = rule.Why(settings)
               where why is not null
               from key in rule.Keys
               let set = values[key]
               where set.Value is not null && set.Setting.Show(set.Value) != set.Setting.ShownDefault
               select $"{key} = {set.Setting.Show(set.Value)} has no effect: {why}";
    }
}
