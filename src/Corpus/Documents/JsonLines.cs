using System.Text;
using System.Text.Unicode;

namespace Elastic.Corpus;

/// <summary>
/// Reads .jsonl, and .json of that content: the field <c>corpus.text-field</c>, or <c>corpus.answer-field</c> with the former as
/// its prompt, or the conversations that <c>corpus.chat-template</c> writes down, counted for <c>meta.pile_set_name</c> (The Pile),
/// <c>source</c> or the file's name, and for the language that <c>language</c> names.
/// </summary>
internal static class JsonLines
{
    /// <summary>
    /// The ending under which C4, Dolma and RedPajama publish records, a line each, and under which others keep one value of whatever kind:
    /// the content decides, see <see cref="AreIn"/>.
    /// </summary>
    public const string OtherEnding = ".json";

    // Longer than what settings of programs say in a line.
    private const int Looked = 64 << 10;

    /// <summary>Why a file of <see cref="OtherEnding"/> is not read, behind its name.</summary>
    public const string OtherContent = "holds no records of JSON, one a line: write it so (jq -c '.[]' makes lines of a list)";

    /// <summary>
    /// Whether a file holds records, a line each: it begins with a line that is an object, and a second one that begins like one
    /// follows, whether or not the first one can be read, or the only one has the text. True for all files of another ending, and for one
    /// that is damaged or cannot be read: what is lost is said by whoever reads it.
    /// </summary>
    public static bool AreIn(SourceFile file)
    {
        if (file.Format != DocumentFormat.JsonLines
            || !Packings.Of(file.Name).Inner.EndsWith(OtherEnding, StringComparison.OrdinalIgnoreCase))
            return true;
        try
        {
            return BeginsWithRecords(file);
        }
        catch (RejectedFileException)
        {
            return true;
        }
    }

    private static bool BeginsWithRecords(SourceFile file)
    {
        var seen = new ReadStatistics();
        using var packed = PackedFile.OpenToDamage(file, seen);
        // As it is read: what is in UTF-16 begins with other bytes.
        using var bytes = RejoinedStream.Peek(new Utf8Source(file, packed), Looked);
        if (seen.MalformedRecords > 0)
            return true;
        var start = bytes.Start;
        if (start.StartsWith((byte[])[0xEF, 0xBB, 0xBF]))
            start = start[3..];
        start = start.TrimStart(" \t\r\n"u8);
        if (start is not [(byte)'{', ..])
            return false;
        var end = start.IndexOf((byte)'\n');
        if (end < 0 && bytes.Start.Length == Looked)
            return true;
        var first = end < 0 ? start : start[..end];
        var rest = start[first.Length..].TrimStart(" \t\r\n"u8);
        return rest is [(byte)'{', ..]
            || (JsonRecord.IsObject(first)
                && (file.Reading.Chat is not null || JsonRecord.Read(first, file.Reading.TextField).Text is not null));
    }

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
                : JsonRecord.Read(json.Span, file.Reading.TextField, file.Reading.AnswerField, file.Reading.Fields);
            statistics.CountInvalidUtf8(file, record.Replaced);
            if (record.Text is { } text)
                yield return With(record.Values, file.Reading.Fields, new Document(
                    record.Source ?? file.Name, $"{file.Name}:{before + lines.Count}", text)
                {
                    Line = before + lines.Count,
                    Language = record.Language,
                    Prompt = record.Prompt,
                    Pieces = record.Pieces,
                    Url = record.Url,
                });
            else
                statistics.CountMalformed(file, before + lines.Count, record.Problem, json.Length);
        }
    }

    // What every record may say counts where the manifest names no other field for it, and where it is not too long for what it is.
    private static Document With(IReadOnlyDictionary<string, string>? values, RecordFields? fields, Document document) =>
        fields is null || values is null ? document : fields.Of(
            document with
            {
                Url = fields.Url == RecordFields.UsualUrl && document.Url is { Length: <= RecordFields.LongestValue } url ? url : null,
                Language = fields.Language == RecordFields.UsualLanguage ? document.Language : null,
            },
            values);

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
