using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;

namespace Elastic.Storage;

/// <summary>Observations as rows: a short kind that outlives the type's name, and JSON that people can read.</summary>
internal static class ObservationCodec
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,        // a loss may be NaN
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { WithoutMeasures } },
        Converters =
        {
            new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower),
            new IdConverter<RunId>(text => new RunId(text), id => id.Value),
            new IdConverter<NodeId>(text => new NodeId(text), id => id.Value),
        },
    };

    private static readonly Dictionary<string, Type> Types = typeof(Observation).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(Observation)) && !type.IsAbstract).ToDictionary(KindOf, StringComparer.Ordinal);

    public static IReadOnlyCollection<Type> All => Types.Values;

    public static string KindOf(Type type) =>
        (type.GetCustomAttribute<ObservedAsAttribute>()
            ?? throw new InvariantException($"{type.Name} has no {nameof(ObservedAsAttribute)}")).Kind;

    public static string Write(Observation what) => JsonSerializer.Serialize(what, what.GetType(), Json);

    /// <summary>Null for an observation that this version does not know: no answer depends on it.</summary>
    public static Observation? Read(string kind, string payload)
    {
        try
        {
            return Types.TryGetValue(kind, out var type) ? (Observation?)JsonSerializer.Deserialize(payload, type, Json) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Leaves out the Measures, which follow from the other fields. (An attribute on the base's property does not apply to overrides.)
    private static void WithoutMeasures(JsonTypeInfo type)
    {
        foreach (var measures in type.Properties.Where(p => p.PropertyType == typeof(IEnumerable<Measure>)).ToList())
            type.Properties.Remove(measures);
    }

    private sealed class IdConverter<T>(Func<string, T> of, Func<T, string> text) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String ? of(reader.GetString()!) : throw new JsonException($"a {typeof(T).Name} is no text");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(text(value));
    }
}
