using System.Collections.Concurrent;
using System.Reflection;

namespace Elastic.Messages.Settings;

/// <summary>
/// The settings that the type of an options record declares, those of the groups in it included, and how to read and to make such a record.
/// The only place that looks at properties by reflection.
/// </summary>
public sealed class SettingsRecord
{
    private static readonly ConcurrentDictionary<Type, SettingsRecord> Known = new();

    private readonly Type _type;
    private readonly IReadOnlyList<(PropertyInfo Property, Setting? Setting, SettingsRecord? Group)> _members;

    private SettingsRecord(Type type)
    {
        _type = type;
        // In the order of declaration: that is what the metadata tokens of the properties of one type count.
        _members =
        [
            .. from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).OrderBy(p => p.MetadataToken)
               let setting = property.GetCustomAttribute<SettingAttribute>() is { } declared ? new Setting(property, declared) : null
               let members = property.PropertyType.IsSubclassOf(typeof(SettingsGroup)) ? Of(property.PropertyType) : null
               where setting is not null || members is not null
               select (property, setting, members),
        ];
        Settings = [.. _members.SelectMany(m => m.Group?.Settings ?? [m.Setting!])];
    }

    /// <summary>All settings, in the order of their declaration.</summary>
    public IReadOnlyList<Setting> Settings { get; }

    public static SettingsRecord Of(Type type) => Known.GetOrAdd(type, t => new SettingsRecord(t));

    /// <summary>The record in which every setting has its default.</summary>
    public static T DefaultsOf<T>() where T : SettingsGroup => Make<T>(s => s.Default);

    /// <summary>The record in which every setting has the value that <paramref name="valueOf"/> gives it.</summary>
    public static T Make<T>(Func<Setting, object?> valueOf) where T : SettingsGroup => (T)Of(typeof(T)).Make(valueOf);

    /// <summary>Every setting with its value, in the order of declaration.</summary>
    public static IEnumerable<(Setting Setting, object? Value)> ValuesOf(SettingsGroup settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return Of(settings.GetType())._members.SelectMany(
            m => m.Group is null ? [(m.Setting!, m.Property.GetValue(settings))] : ValuesOf((SettingsGroup)m.Property.GetValue(settings)!));
    }

    internal IEnumerable<string> ProblemsOf(SettingsGroup settings) => _members.SelectMany(
        m => m.Group is null
            ? m.Setting!.Problems(m.Property.GetValue(settings))
            : ((SettingsGroup)m.Property.GetValue(settings)!).Problems());

    private object Make(Func<Setting, object?> valueOf)
    {
        var settings = Activator.CreateInstance(_type)!;
        foreach (var (property, setting, group) in _members)
            property.SetValue(settings, group is null ? valueOf(setting!) : group.Make(valueOf));
        return settings;
    }
}
