using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Elastic.Storage;

/// <summary>
/// How records become JSON in the database: camelCase names, ids and digests as texts, nothing that depends on a CLR name.
/// </summary>
public static class JournalJson
{
    /// <summary>Events: unknown fields are ignored, fields that are nullable or have a default may be missing.</summary>
    public static JsonSerializerOptions Events { get; } = Options(new IdConverterFactory(allowNone: false), Relax);

    /// <summary>
    /// Snapshots: exactly the fields of today's type. A snapshot is only a short-cut, so one of another shape is passed over.
    /// </summary>
    public static JsonSerializerOptions Snapshots { get; } = Options(new IdConverterFactory(allowNone: true), Demand);

    private static JsonSerializerOptions Options(IdConverterFactory ids, Action<JsonTypeInfo> requirements)
    {
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            IgnoreReadOnlyProperties = true,                           // computed properties are not stored
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
            AllowDuplicateProperties = false,
            // For a database, not for a web page: quotes and letters stay readable.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Converters =
            {
                ids, new DoubleConverter(), new OrdinalDictionaryFactory(),
                new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false),
            },
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { requirements } },
        };
        options.MakeReadOnly();
        return options;
    }

    private static void Relax(JsonTypeInfo type)
    {
        foreach (var property in type.Properties.Where(p => p.IsSetNullable || Nullable.GetUnderlyingType(p.PropertyType) is not null))
            property.IsRequired = false;
    }

    private static void Demand(JsonTypeInfo type)
    {
        if (type.Kind != JsonTypeInfoKind.Object)
            return;
        type.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        foreach (var property in type.Properties.Where(p => p.Set is not null || p.AssociatedParameter is not null))
            property.IsRequired = true;
    }
}
