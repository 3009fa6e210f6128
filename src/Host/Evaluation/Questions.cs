using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Host.Evaluation;

/// <summary>A question with choices, one of which is right.</summary>
/// <param name="Line">Its line in the file, from 1 on.</param>
/// <param name="Context">What stands before each choice; may be empty.</param>
/// <param name="Answer">The index of the right choice.</param>
internal sealed record ChoiceQuestion(long Line, string Context, IReadOnlyList<string> Choices, int Answer);

/// <summary>
/// Reads questions from .jsonl, a record a line. Unlike a corpus, from which a damaged record is left out, a test with a record less is
/// another test: the first that is wrong ends the reading.
/// </summary>
internal static class Questions
{
    public const int MostChoices = 100;

    /// <summary>The texts of a file, each with its line: <c>{"text": "..."}</c>.</summary>
    /// <exception cref="ElasticException">The file cannot be read, or a record is not as it should be.</exception>
    public static IEnumerable<(long Line, string Text)> Texts(string file, string option) =>
        Records(file, option).Select(r => (r.Line, r.Text("text")));

    /// <summary>The questions of a file: <c>{"context": "...", "choices": ["...", "..."], "answer": 0}</c>.</summary>
    /// <exception cref="ElasticException">The file cannot be read, or a record is not as it should be.</exception>
    public static IEnumerable<ChoiceQuestion> Choices(string file, string option)
    {
        foreach (var record in Records(file, option))
        {
            var choices = record.Texts("choices", 2, MostChoices);
            yield return new ChoiceQuestion(record.Line, record.Text("context"), choices, record.Index("answer", choices.Count));
        }
    }

    private static IEnumerable<Record> Records(string file, string option)
    {
        using var lines = BoundedLines.Open(file, option, "file of records");
        while (lines.Read() is { } line)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            using var json = Parse(line, file, lines.Count);
            yield return new Record(json.RootElement, file, lines.Count);
        }
    }

    private static JsonDocument Parse(string line, string file, long number)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 8 });
        }
        catch (JsonException e)
        {
            throw new ElasticException($"{file}:{number} is no JSON ({OneLine.Of(e.Message, 200)}): use one record a line", e);
        }
        if (json.RootElement.ValueKind == JsonValueKind.Object)
            return json;
        json.Dispose();
        throw new ElasticException($"{file}:{number} is no JSON object: use one record a line, in braces");
    }

    private readonly record struct Record(JsonElement Json, string File, long Line)
    {
        public string Text(string field) => Text(field, Find(field), "a string");

        public List<string> Texts(string field, int least, int most)
        {
            var record = this;
            var list = Find(field);
            return list.ValueKind == JsonValueKind.Array && list.GetArrayLength() >= least && list.GetArrayLength() <= most
                ? [.. list.EnumerateArray().Select(e => record.Text(field, e, "strings that are not empty")).Select(
                    t => t.Length > 0 ? t : throw record.Wrong(field, "\"\"", "strings that are not empty"))]
                : throw Wrong(field, list.GetRawText(), $"a list of {least} to {most} strings");
        }

        public int Index(string field, int count) =>
            Find(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var index) && index >= 0 && index < count
                ? index
                : throw Wrong(field, Find(field).GetRawText(), $"the right choice's number, 0 to {count - 1}");

        private string Text(string field, JsonElement value, string expected)
        {
            if (value.ValueKind != JsonValueKind.String)
                throw Wrong(field, value.GetRawText(), expected);
            try
            {
                return value.GetString()!;
            }
            catch (InvalidOperationException e)
            {
                throw new ElasticException($"{File}:{Line}: \"{field}\" has half of a surrogate pair, which is no character", e);
            }
        }

        private JsonElement Find(string field) => Json.TryGetProperty(field, out var value)
            ? value
            : throw new ElasticException($"{File}:{Line}: the field \"{field}\" is missing");

        private ElasticException Wrong(string field, string value, string expected) =>
            new($"{File}:{Line}: \"{field}\" = {OneLine.Of(value, 60)}: use {expected}");
    }
}
