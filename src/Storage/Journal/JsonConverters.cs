using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Elastic.Storage;

/// <summary>Ids and digests (structs that are one text) are that text, and go through their constructors when they are read.</summary>
/// <param name="allowNone">Whether a default one, which names nothing, may be stored: as null.</param>
internal sealed class IdConverterFactory(bool allowNone) : JsonConverterFactory
{
    /// <inheritdoc/>
    public override bool CanConvert(Type typeToConvert) =>
        typeToConvert is { IsValueType: true, IsPrimitive: false } && ConstructorOf(typeToConvert) is not null
        && TextOf(typeToConvert) is not null;

    /// <inheritdoc/>
    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(
            typeof(IdConverter<>).MakeGenericType(typeToConvert), ConstructorOf(typeToConvert), TextOf(typeToConvert), allowNone)!;

    private static ConstructorInfo? ConstructorOf(Type type) => type.GetConstructor([typeof(string)]);

    // The property that holds the constructor's parameter; others are computed from it.
    private static PropertyInfo? TextOf(Type type) =>
        type.GetProperty(
            ConstructorOf(type)!.GetParameters()[0].Name!, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase);

    private sealed class IdConverter<T>(ConstructorInfo constructor, PropertyInfo text, bool allowNone) : JsonConverter<T> where T : struct
    {
        public override bool HandleNull => true;

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Null)
                return allowNone ? default : throw new JsonException($"a {typeof(T).Name} is null");
            if (reader.TokenType != JsonTokenType.String)
                throw new JsonException($"a {typeof(T).Name} is no text");
            var value = reader.GetString();
            try
            {
                return (T)constructor.Invoke([value]);
            }
            catch (TargetInvocationException e)
            {
                throw new JsonException($"\"{value}\" is no {typeof(T).Name}: {e.InnerException!.Message}", e);
            }
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        {
            var written = (string?)text.GetValue(value);
            if (written is null && !allowNone)
                throw new JsonException($"a {typeof(T).Name} that names nothing cannot be stored");
            writer.WriteStringValue(written);
        }
    }
}

/// <summary>Doubles to the last bit, because the hash chain counts a loss by its bits; values that are not finite as texts.</summary>
internal sealed class DoubleConverter : JsonConverter<double>
{
    private const string OtherNaN = "NaN:";
    private static readonly long UsualNaN = BitConverter.DoubleToInt64Bits(double.NaN);

    /// <inheritdoc/>
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number => reader.GetDouble(),
        JsonTokenType.String => Named(reader.GetString()!),
        var other => throw new JsonException($"{other} is no number"),
    };

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else if (double.IsNaN(value))
            // Processors make NaNs of different bits.
            writer.WriteStringValue(bits == UsualNaN ? "NaN" : $"{OtherNaN}{bits:x16}");
        else
            writer.WriteStringValue(value > 0 ? "Infinity" : "-Infinity");
    }

    private static double Named(string text) => text switch
    {
        "NaN" => double.NaN,
        "Infinity" => double.PositiveInfinity,
        "-Infinity" => double.NegativeInfinity,
        _ when text.StartsWith(OtherNaN, StringComparison.Ordinal)
            && long.TryParse(text.AsSpan(OtherNaN.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits)
            && BitConverter.Int64BitsToDouble(bits) is var value && double.IsNaN(value) => value,
        _ => throw new JsonException($"\"{text}\" is no number"),
    };
}

/// <summary>Dictionaries with text keys, in ordinal order: the default comparer's order depends on the machine's culture.</summary>
internal sealed class OrdinalDictionaryFactory : JsonConverterFactory
{
    /// <inheritdoc/>
    public override bool CanConvert(Type typeToConvert) => typeToConvert.IsGenericType
        && typeToConvert.GetGenericTypeDefinition() == typeof(ImmutableSortedDictionary<,>)
        && typeToConvert.GetGenericArguments()[0] == typeof(string);

    /// <inheritdoc/>
    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(OrdinalDictionary<>).MakeGenericType(typeToConvert.GetGenericArguments()[1]))!;

    private sealed class OrdinalDictionary<T> : JsonConverter<ImmutableSortedDictionary<string, T>>
    {
        public override ImmutableSortedDictionary<string, T> Read(
            ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            JsonSerializer.Deserialize<Dictionary<string, T>>(ref reader, options)!.ToImmutableSortedDictionary(StringComparer.Ordinal);

        public override void Write(Utf8JsonWriter writer, ImmutableSortedDictionary<string, T> value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value.ToDictionary(StringComparer.Ordinal), options);
    }
}
