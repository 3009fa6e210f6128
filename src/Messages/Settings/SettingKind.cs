using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Elastic.Messages.Settings;

/// <summary>A type of settings: how its values are written by people, stored in canonical texts and shown.</summary>
public abstract class SettingKind
{
    /// <summary>What is expected, in words, e.g. "a whole number".</summary>
    public abstract string Name { get; }

    /// <summary>What is expected, at more length than <see cref="Name"/>, for error messages.</summary>
    public virtual string Expectation => Name;

    /// <summary>Whether values are written as lists.</summary>
    public virtual bool IsList => false;

    /// <summary>The kind of a property, and whether it may be null.</summary>
    public static (SettingKind Kind, bool IsOptional) Of(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var kind =
            type == typeof(string) ? SettingKinds.Text
            : type == typeof(int) ? SettingKinds.Whole
            : type == typeof(ulong) ? SettingKinds.Natural
            : type == typeof(double) ? SettingKinds.Number
            : type == typeof(bool) ? SettingKinds.Switch
            : type == typeof(NumberPair) ? SettingKinds.Pair
            : type == typeof(IReadOnlyList<string>) ? SettingKinds.Texts
            : type.IsEnum ? SettingKinds.ChoiceOf(type)
            : throw new InvalidOperationException($"{property.DeclaringType}.{property.Name}: no kind of setting has the type {type}");
        return (kind, new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable);
    }

    /// <summary>A value of an enumeration as people write it: inverse-square-root.</summary>
    public static string Word(Enum value) => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    /// <summary>A number as people write it: 0.002, 1e-8.</summary>
    public static string Show(double number)
    {
        var text = number.ToString(CultureInfo.InvariantCulture);
        var e = text.IndexOf('E', StringComparison.Ordinal);
        return e < 0 ? text : $"{text[..e]}e{int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)}";
    }

    /// <summary>Reads what a person wrote: one text for a plain value, all elements of a list. Null for what does not fit.</summary>
    public abstract object? Parse(IReadOnlyList<string> items, bool isList);

    /// <summary>The texts from which <see cref="Parse"/> makes <paramref name="value"/>.</summary>
    public abstract IReadOnlyList<string> Items(object value);

    /// <summary>A value as people write it, e.g. [0.9, 0.95].</summary>
    public string Show(object value) => IsList ? $"[{string.Join(", ", Items(value))}]" : Items(value)[0];

    /// <summary>A value in a sentence: texts in quotation marks.</summary>
    public virtual string Quote(object value) => Show(value);

    /// <summary>A value in a canonical text.</summary>
    public abstract JsonNode ToJson(object value);

    /// <summary>The value that <see cref="ToJson"/> wrote; null for anything else.</summary>
    public abstract object? FromJson(JsonNode node);

    /// <summary>A value as an attribute holds it; null for one of another type.</summary>
    public abstract object? FromAttribute(object value);
}
