using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Elastic.Foundation;

/// <summary>A line of a log that programs read: one JSON object, in one line whatever the text holds.</summary>
public static class JsonLogLine
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,          // no log is part of a web page
    };

    /// <summary>{"time":"2026-01-02T03:04:05.6780000Z","level":"info","source":…,"text":…,"details":…}, and the end of the line.</summary>
    /// <param name="source">What says it; null where that is the process.</param>
    /// <param name="details">An exception, for example; null for none.</param>
    public static string Of(DateTime utc, string level, string? source, string text, string? details) => JsonSerializer.Serialize(
        new { Time = utc.ToString("o", CultureInfo.InvariantCulture), Level = level, Source = source, Text = text, Details = details },
        Json) + "\n";
}
