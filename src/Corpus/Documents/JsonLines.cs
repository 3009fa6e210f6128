using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using ZstdSharp;

namespace Elastic.Corpus;

/// <summary>
/// Reads .jsonl and .jsonl.zst: field <c>text</c>, counted for <c>meta.pile_set_name</c> (The Pile), <c>source</c> or the file's name.
/// </summary>
internal static class JsonLines
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = file.OpenRead();
        using var stream = file.Format == DocumentFormat.JsonLinesZstandard ? (Stream)new DecompressionStream(bytes) : bytes;
        var lines = new Utf8Lines(stream, file.Path);
        while (TryReadLine(file, statistics, lines, out var json))
        {
            if (json.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            if (!Utf8.IsValid(json.Span))
                json = Encoding.UTF8.GetBytes(CountingUtf8.Decode(json.Span, statistics));
            var document = Parse(file, lines.Count, json, out var problem);
            if (document is not null)
                yield return document;
            else
                statistics.CountMalformed(file, lines.Count, problem);
        }
    }

    private static bool TryReadLine(SourceFile file, ReadStatistics statistics, Utf8Lines lines, out ReadOnlyMemory<byte> json)
    {
        try
        {
            return lines.TryRead(out json);
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            statistics.CountMalformed(file, lines.Count + 1, $"the compressed data ends or breaks here: {e.Message}");
            json = default;
            return false;
        }
    }

    private static Document? Parse(SourceFile file, long line, ReadOnlyMemory<byte> json, out string problem)
    {
        problem = "";
        try
        {
            using var parsed = JsonDocument.Parse(json);
            var record = parsed.RootElement;
            if (record.ValueKind == JsonValueKind.Object && record.TryGetProperty("text", out var text)
                && text.ValueKind == JsonValueKind.String)
                return new Document(SourceOf(record) ?? file.Name, $"{file.Name}:{line}", text.GetString()!);
            problem = "there is no field \"text\" with a string";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped lone surrogate, which no text can hold.
            problem = e.Message;
        }
        return null;
    }

    private static string? SourceOf(JsonElement record) =>
        record.TryGetProperty("meta", out var meta) && meta.ValueKind == JsonValueKind.Object && StringIn(meta, "pile_set_name") is { } pile
            ? pile
            : StringIn(record, "source");

    private static string? StringIn(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? text
            : null;
}
