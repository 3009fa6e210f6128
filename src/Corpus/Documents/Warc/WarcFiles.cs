using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads .warc, what a crawler of the web got: pages and texts of responses and resources, with their URLs and times. Whatever else is in
/// it (requests, pictures, errors of servers, pages that were stored before) is counted.
/// </summary>
internal static class WarcFiles
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = PackedFile.OpenToDamage(file, statistics);
        var records = new WarcRecords(file, bytes, statistics);
        while (records.Next() is { } record)
            foreach (var document in Documents(record, file, statistics))
                yield return document with { Url = record.Url, Date = record.Head.GetValueOrDefault("WARC-Date") };
    }

    private static IEnumerable<Document> Documents(WarcRecord record, SourceFile file, ReadStatistics statistics)
    {
        // The crawler's own: what it asked, and how it was called. Nobody misses them.
        if (record.Type is "warcinfo" or "request" or "metadata"
            || record.Url?.StartsWith("metadata:", StringComparison.OrdinalIgnoreCase) == true)
            return [];
        var name = OneLine.Of(record.Url ?? "a record without a URL", 200);
        if (record.Type == "revisit")
            return Unread($"{name}: a revisit, whose page was stored before");
        if (record.Type is not ("response" or "resource" or "conversion"))
            return Unread($"{name}: a record of the type {OneLine.Of(record.Type, 40)}");
        var (body, type) = (record.Block, record.Head.GetValueOrDefault("Content-Type", ""));
        if (record.Type == "response" && type.StartsWith("application/http", StringComparison.OrdinalIgnoreCase))
        {
            if (HttpMessage.Read(record.Block) is not { } message)
                return Malformed("the answer of the server has no head");
            if (message.Status != 200)
                return Unread($"{name}: the server answered {message.Status}");
            try
            {
                (body, type) = (message.Decoded(), message.Head.GetValueOrDefault("Content-Type", ""));
            }
            catch (InvalidDataException e)
            {
                return Malformed(e.Message);
            }
        }
        // Before the page is parsed: what nobody wants costs no time.
        if (file.Reading.Blocks?.Blocks(record.Url) == true)
            return Unread($"{name} is in a block list");
        return ContentType.FormatOf(type, body) is { } format
            ? Members.Read(file, $"{file.Name}:{record.Number}", format, ContentType.AsUtf8(type, body, file, statistics),
                record.Url is null ? file.LeftOutBy : $"{name} in a file of block-lists, or {file.LeftOutBy}", statistics)
            : Unread($"{name}: {OneLine.Of(ContentType.NameOf(type), 60)} is no text that is read");

        IEnumerable<Document> Unread(string why)
        {
            statistics.CountUnread(file, why);
            return [];
        }

        IEnumerable<Document> Malformed(string why)
        {
            statistics.CountMalformed(file, record.Number, $"the record of {name} is left out: {why}", record.Block.Length);
            return [];
        }
    }
}
