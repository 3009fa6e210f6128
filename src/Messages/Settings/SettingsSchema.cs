using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>
/// The table of all settings of some options records. A key that is not in it is an error, so that no misspelt key is ignored.
/// </summary>
public sealed class SettingsSchema
{
    private readonly Dictionary<string, Setting> _byKey;

    /// <param name="records">Types of <see cref="SettingsGroup"/>.</param>
    public SettingsSchema(params IEnumerable<Type> records)
    {
        Settings = [.. records.SelectMany(r => SettingsRecord.Of(r).Settings)];
        _byKey = Settings.ToDictionary(s => s.Key, StringComparer.Ordinal);
    }

    /// <summary>Everything that can be set.</summary>
    public static SettingsSchema All { get; } = new(typeof(TrainingSettings), typeof(NodeSettings));

    /// <summary>The settings of a node.</summary>
    public static SettingsSchema Node { get; } = new(typeof(NodeSettings));

    /// <summary>Every setting, in the order of declaration.</summary>
    public IReadOnlyList<Setting> Settings { get; }

    /// <summary>The default of each setting that has one, as a source below all others.</summary>
    public IEnumerable<SettingText> Defaults => Settings.Where(s => s.Default is not null)
        .Select(s => new SettingText(s.Key, s.Kind.Items(s.Default!), s.Kind.IsList, "default") { IsDefault = true, IsBuiltIn = true });

    public Setting? Find(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>True for "run" and the like: a name that only groups keys.</summary>
    public bool IsBlock(string key) => Settings.Any(s => s.Key.StartsWith(key + ".", StringComparison.Ordinal));

    /// <summary>
    /// The known key that was probably meant: close as a whole, or with the right last name in the wrong block or in none; null where no
    /// key is.
    /// </summary>
    public string? Nearest(string key) => Settings.Select(s => s.Key)
        .Where(known => EditDistance.IsNear(key, known) || EditDistance.IsNear(LastName(key), LastName(known)))
        .MinBy(known => Math.Min(EditDistance.Between(key, known), 1 + EditDistance.Between(LastName(key), LastName(known))));

    /// <summary>Keys that set the same thing as <paramref name="key"/> in another way: setting it undoes them.</summary>
    public IEnumerable<string> AlternativesOf(string key) =>
        Settings.Where(s => s.InsteadOf == key).Select(s => s.Key).Concat(Find(key)?.InsteadOf is { } other ? [other] : []);

    private static string LastName(string key) => key[(key.LastIndexOf('.') + 1)..];
}
