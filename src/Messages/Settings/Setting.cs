using System.Reflection;

namespace Elastic.Messages.Settings;

/// <summary>One row of the table of all settings, as its property declares it.</summary>
public sealed class Setting
{
    private readonly PropertyInfo _property;
    private readonly SettingAttribute _declared;
    private readonly IReadOnlyList<SettingCheckAttribute> _checks;

    internal Setting(PropertyInfo property, SettingAttribute declared)
    {
        (_property, _declared) = (property, declared);
        _checks = [.. property.GetCustomAttributes<SettingCheckAttribute>()];
        (Kind, IsOptional) = SettingKind.Of(property);
        Default = Declared(declared.Value, "default");
        Why = string.Join(' ', declared.Why.Split((char[])['\n', '\r', ' '], StringSplitOptions.RemoveEmptyEntries));
        ShareOf = property.GetCustomAttribute<ShareOfAttribute>()?.Key;
        if (property.GetCustomAttribute<SinceAttribute>() is { } since)
            (Since, Before) = (since.Version, Declared(since.Before, "value before"));
    }

    public string Key => _declared.Key;

    /// <summary>The name before the first dot, e.g. "optimizer".</summary>
    public string Block => Key[..Key.IndexOf('.', StringComparison.Ordinal)];

    public SettingKind Kind { get; }

    /// <summary>Whether null is a value: none.</summary>
    public bool IsOptional { get; }

    public object? Default { get; }

    /// <inheritdoc cref="SettingAttribute.PartOfAnswer"/>
    public bool PartOfAnswer => _declared.PartOfAnswer;

    /// <inheritdoc cref="SettingAttribute.InsteadOf"/>
    public string? InsteadOf => _declared.InsteadOf;

    /// <inheritdoc cref="SettingAttribute.IsPath"/>
    public bool IsPath => _declared.IsPath;

    /// <inheritdoc cref="SettingAttribute.IsNameOrPath"/>
    public bool IsNameOrPath => _declared.IsNameOrPath;

    /// <summary>The key that it is a share of, where nobody sets it; null for none. See <see cref="ShareOfAttribute"/>.</summary>
    public string? ShareOf { get; }

    /// <summary>What it is, and why the default is what it is.</summary>
    public string Why { get; }

    /// <summary>The version of the canonical text that has it first.</summary>
    public int Since { get; } = 1;

    /// <summary>The value that texts without the key stand for, where they are older than <see cref="Since"/>.</summary>
    public object? Before { get; }

    /// <summary>What may be written, e.g. "a whole number, at least 1".</summary>
    public string Takes => _checks.Aggregate(Kind.Name, (takes, check) => check.Describe(takes)) + (IsOptional ? ", or null" : "");

    /// <summary>The default as people write it.</summary>
    public string ShownDefault => Show(Default);

    /// <summary>A value as people write it.</summary>
    public string Show(object? value) => value is null ? SettingText.Null : Kind.Show(value);

    /// <summary>What is wrong with a value, one sentence each with its remedy.</summary>
    public IEnumerable<string> Problems(object? value) =>
        value is null ? [] : _checks.Where(c => !c.Allows(value)).Select(c => c.Problem(Key, Kind.Quote(value), Kind.Name));

    /// <summary>True where the property bears an attribute that means something to somebody else.</summary>
    public bool Has<T>() where T : Attribute => _property.IsDefined(typeof(T));

    public override string ToString() => Key;

    // Attributes hold any object; a wrong one is a bug, which the first test that reads the settings finds.
    private object? Declared(object? value, string what) =>
        value is null && IsOptional ? null
        : value is not null && Kind.FromAttribute(value) is { } fits ? fits
        : throw new InvalidOperationException($"{Key}: its {what} {value ?? "null"} is not {Kind.Name}");
}
