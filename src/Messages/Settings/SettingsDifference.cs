namespace Elastic.Messages.Settings;

/// <summary>
/// Compares the settings of a run with those of a command that names the same run. Only what decides the weights counts: a run may be resumed
/// under other checkpoint and evaluation settings, and from another place, as long as the corpus has the same digest (which the caller compares).
/// </summary>
public static class SettingsDifference
{
    private static readonly string[] WithoutEffect = ["run.name", "run.audit-rate", "checkpoint.", "evaluation.", "node.", "corpus.sources"];

    /// <summary>Lines like "optimizer.learning-rate: 0.002 -> 0.001", in canonical order; empty when the two give the same weights.</summary>
    public static IReadOnlyList<string> Between(TrainingSettings old, TrainingSettings @new) =>
    [
        .. SettingsText.Entries(old)
            .Zip(SettingsText.Entries(@new), (a, b) => (a.Key, Old: a.Value?.ToJsonString() ?? "none", New: b.Value?.ToJsonString() ?? "none"))
            .Where(e => e.Old != e.New && !WithoutEffect.Any(w => e.Key == w || (w[^1] == '.' && e.Key.StartsWith(w, StringComparison.Ordinal))))
            .Select(e => $"{e.Key}: {e.Old} -> {e.New}"),
    ];
}
