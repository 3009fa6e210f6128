using System.Text;
using System.Text.Unicode;

namespace Elastic.Corpus;

/// <summary>
/// Reads .jsonl: the field <c>corpus.text-field</c>, or <c>corpus.answer-field</c> with the former as
/// its prompt, or the conversations that <c>corpus.chat-template</c> writes down, counted for <c>meta.pile_set_name</c> (The Pile),
/// <c>source</c> or the file's name, and for the language that <c>language</c> names.
/// </summary>
internal static class JsonLines
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = PackedFile.Open(file);
        var before = file.Part?.LinesBefore ?? 0;
        var lines = new Utf8Lines(new Utf8Source(file, bytes), file, statistics);
        while (TryReadLine(file, statistics, lines, bytes, out var json))
        {
            if (json.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            if (!Utf8.IsValid(json.Span))
                json = Encoding.UTF8.GetBytes(CountingUtf8.Decode(json.Span, file, statistics));
            var record = file.Reading.Chat is { } chat
                ? JsonRecord.ReadConversation(json.Span, chat)
                : JsonRecord.Read(json.Span, file.Reading.TextField, file.Reading.AnswerField);
            statistics.CountInvalidUtf8(file, record.Replaced);
            if (record.Text is { } text)
                yield return new Document(record.Source ?? file.Name, $"{file.Name}:{before + lines.Count}", text)
                {
                    Line = before + lines.Count,
                    Language = record.Language,
                    Prompt = record.Prompt,
                    Pieces = record.Pieces,
                    Url = record.Url,
                };
            else
                statistics.CountMalformed(file, before + lines.Count, record.Problem, json.Length);
        }
    }

    private static bool TryReadLine(
        SourceFile file, ReadStatistics statistics, Utf8Lines lines, PackedFile bytes, out ReadOnlyMemory<byte> json)
    {
        json = default;
        try
        {
            return lines.TryRead(out json);
        }
        catch (InvalidDataException e)
        {
            bytes.CountRest(statistics, (file.Part?.LinesBefore ?? 0) + lines.Count + 1, e);
            return false;
        }
    }
}
