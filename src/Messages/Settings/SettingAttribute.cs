namespace Elastic.Messages.Settings;

/// <summary>
/// Makes a property of an options record a setting. This is the one place of a setting: the key list, the reading of configurations, the
/// canonical text, the differences between two runs, the help, the table in docs/configuration.md and hocon/reference.conf follow from it.
/// Beside it stand the checks (<see cref="SettingCheckAttribute"/>) and, for a key that is added later, <see cref="SinceAttribute"/>.
/// The type of the property decides what may be written; <see cref="SettingKind"/> has the types that there are.
/// </summary>
/// <param name="key">The whole key, e.g. "optimizer.clip". Journals hold it: the property may be renamed, the key never.</param>
/// <param name="value">The default. A pair of numbers and a list of texts are given as arrays.</param>
/// <param name="why">Sentences for people: what it is, and why the default is what it is. A sentence each; line ends count as
/// spaces.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string key, object? value, string why) : Attribute
{
    public string Key { get; } = key;

    public object? Value { get; } = value;

    public string Why { get; } = why;

    /// <summary>Whether it decides the weights: a run goes on only under the same value. True by default, which is safe.</summary>
    public bool PartOfAnswer { get; init; } = true;

    /// <summary>The key that sets the same thing in another way: of the two, the one that was set last counts.</summary>
    public string? InsteadOf { get; init; }

    /// <summary>A path of the machine that reads it: a relative one is made absolute before it is bound.</summary>
    public bool IsPath { get; init; }

    /// <summary>
    /// A name, or a path of the machine that reads it: what has a slash is a path, and so is what is there and is none of the names that
    /// the setting takes. A path is made absolute before it is bound.
    /// </summary>
    public bool IsNameOrPath { get; init; }
}

/// <summary>
/// Marks a number that is meant as a share of another setting: where a person sets only the other one, a default or a preset's value keeps
/// its share of it. What a person wrote is never changed, and what is stored is always the number.
/// </summary>
/// <param name="key">The whole key of the other setting.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ShareOfAttribute(string key) : Attribute
{
    public string Key { get; } = key;
}

/// <summary>Marks a setting that was added after version 1 of the canonical text.</summary>
/// <param name="version">The first version of the text that has it; the largest one of all settings is the version that is written.</param>
/// <param name="before">What a run did before the key existed: the value that older texts stand for. Not always the default.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SinceAttribute(int version, object? before) : Attribute
{
    public int Version { get; } = version;

    public object? Before { get; } = before;
}
