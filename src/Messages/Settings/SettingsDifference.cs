namespace Elastic.Messages.Settings;

/// <summary>
/// Compares the settings of a run with those of a command that names the same run. Only what is part of the answer counts: a run may be
/// resumed under other checkpoint and evaluation settings, and from another place, as long as the corpus has the same digest (which the
/// caller compares).
/// </summary>
public static class SettingsDifference
{
    /// <summary>Stands for no value; a text that is called so has quotation marks.</summary>
    public const string None = "none";

    /// <summary>
    /// Lines like "optimizer.learning-rate: 0.002 -> 0.001", in order of declaration; empty when both give the same weights.
    /// </summary>
    public static IReadOnlyList<string> Between<T>(T old, T @new) where T : SettingsGroup =>
    [
        .. SettingsRecord.ValuesOf(old)
            .Zip(SettingsRecord.ValuesOf(@new), (a, b) => (a.Setting, Old: Text(a.Setting, a.Value), New: Text(b.Setting, b.Value)))
            .Where(e => e.Setting.PartOfAnswer && e.Old != e.New)
            .Select(e => $"{e.Setting.Key}: {e.Old} -> {e.New}"),
    ];

    /// <summary>The settings that have another value than their default, with both as texts, in order of declaration.</summary>
    public static IEnumerable<(Setting Setting, string Value, string Default)> FromDefaults(SettingsGroup settings) =>
        SettingsRecord.ValuesOf(settings)
            .Select(e => (e.Setting, Value: Text(e.Setting, e.Value), Default: Text(e.Setting, e.Setting.Default)))
            .Where(e => e.Value != e.Default);

    private static string Text(Setting setting, object? value) => value is null ? None : setting.Kind.ToJson(value).ToJsonString();
}
