using System.Text;
using System.Text.Unicode;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Elastic.Corpus;

/// <summary>
/// Reads .jsonl, .jsonl.gz and .jsonl.zst: the field <c>corpus.text-field</c>, or <c>corpus.answer-field</c> with the former as
/// its prompt, or the conversations that <c>corpus.chat-template</c> writes down, counted for <c>meta.pile_set_name</c> (The Pile),
/// <c>source</c> or the file's name.
/// </summary>
internal static class JsonLines
{
    // 2^31 bytes: the largest that Zstandard's programs write (--long=31). Only files that need it take that much memory.
    private const int LargestWindowLog = 31;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = file.OpenRead();
        using var stream = Unpack(file, bytes);
        var lines = new Utf8Lines(new Utf8Source(file, stream), file);
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
                yield return new Document(record.Source ?? file.Name, $"{file.Name}:{lines.Count}", text)
                {
                    Prompt = record.Prompt,
                    Pieces = record.Pieces,
                };
            else
                statistics.CountMalformed(file, lines.Count, record.Problem, json.Length);
        }
    }

    private static Stream Unpack(SourceFile file, Stream bytes)
    {
        switch (file.Format)
        {
            case DocumentFormat.JsonLinesGzip:
                return new BoundedExpansion(file, new GzipFile(bytes));
            case DocumentFormat.JsonLinesZstandard:
                var zstandard = new DecompressionStream(bytes);
                zstandard.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestWindowLog);
                return new BoundedExpansion(file, zstandard);
            default:
                return bytes;
        }
    }

    private static bool IsDamage(Exception e) => e is ZstdException or EndOfStreamException or InvalidDataException;

    private static bool TryReadLine(
        SourceFile file, ReadStatistics statistics, Utf8Lines lines, Stream bytes, out ReadOnlyMemory<byte> json)
    {
        json = default;
        try
        {
            return lines.TryRead(out json);
        }
        catch (ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
        {
            throw ReadLimits.Exceeded(file, $"needs a window of more than 2^{LargestWindowLog} bytes of memory to be unpacked");
        }
        catch (Exception e) when (IsDamage(e))
        {
            // What was lost is not known unpacked: it is at least what is left of the file.
            statistics.CountMalformed(file, lines.Count + 1, $"the compressed data ends or breaks here, and the rest of the file " +
                $"(at least {file.Length - bytes.Position} bytes of it) is lost: {e.Message}", file.Length - bytes.Position);
            return false;
        }
    }
}
