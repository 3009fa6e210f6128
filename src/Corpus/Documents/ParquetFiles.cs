using System.Text;
using System.Text.Unicode;
using Elastic.Corpus.Parquet;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads the column <c>text</c> of .parquet, by row groups, counted for the column <c>source</c> where there is one. The reader is
/// Elastic's own: it checks every length and every checksum, and a file that is damaged in whatever way costs no more than its size allows.
/// </summary>
internal static class ParquetFiles
{
    /// <summary>
    /// Part of the identity of corpora with such files: 2 reads rows that earlier versions of Elastic lost, so that what they built is not
    /// found and used.
    /// </summary>
    internal const int ReaderVersion = 2;

    /// <summary>
    /// Share of a file's rows that may be lost to damage. A little text is missed by nobody; more means that the file is not what the
    /// person thinks it is, and a corpus that silently lacks a part of its text is another corpus.
    /// </summary>
    internal const double LargestLoss = 0.1;

    private const int NamesShown = 20, NameShown = 60;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var stream = file.OpenRead();
        var metadata = Open(file, stream);
        var field = file.Reading.TextField;
        var text = TextColumn(metadata, field) ?? throw new ElasticException(
            $"{file.Shown} has no column \"{field}\" of strings (it has {Names(metadata.Fields)}): " +
            "name the right one with corpus.text-field, or name other files");
        var source = TextColumn(metadata, "source");
        CheckCodecs(file, metadata, source is null ? [text] : [text, source]);
        var pages = new ParquetPages(stream, metadata.PagesEnd, new ReadBudget(file.Shown, stream.Length));
        var (lost, firstProblem) = (0.0, "");
        var first = (int)(file.Part?.Skip ?? 0);
        var end = (int)Math.Min(metadata.Groups.Count, first + (file.Part?.Length ?? metadata.Groups.Count));
        for (var group = first; group < end; group++)
        {
            var (rows, given) = (metadata.Groups[group], 0L);
            using var texts = Values(pages, rows, text).GetEnumerator();
            using var sources = source is null ? null : Values(pages, rows, source).GetEnumerator();
            while (given < rows.Rows)
            {
                if (Next(file, group, statistics, texts, sources, out var problem) is not var (value, name))
                {
                    problem = $"row group {group} cannot be read{(given == 0 ? "" : $" from row {given} on")} ({problem})";
                    firstProblem = lost == 0 ? problem : firstProblem;
                    var rest = rows.Rows - given;
                    lost += rest;
                    statistics.CountMalformed(file, 0, $"{problem}: {rest} of its {rows.Rows} rows are left out", records: rest);
                    break;
                }
                yield return new Document(name.Length > 0 ? name : file.Name, $"{file.Name}:{group}:{given++}", value);
            }
        }
        var all = metadata.Groups.Sum(g => (double)g.Rows);
        // Where rejects are passed over, what is lost is named, whatever its share.
        if (!file.Reading.PassesOverRejects && lost > LargestLoss * all)
            throw new RejectedFileException($"{file.Shown} is damaged: {lost:0} of its {all:0} rows are lost, more than " +
                                       $"{100 * LargestLoss:0} %; {firstProblem}: repair it or leave it out");
    }

    /// <summary>Runs of row groups of about that many bytes; none for a file that cannot be read.</summary>
    public static IReadOnlyList<FilePart> Parts(SourceFile file, long bytes)
    {
        try
        {
            using var stream = file.OpenRead();
            var groups = Open(file, stream).Groups.Count;
            // Row groups of a file are alike, and what their metadata claims is not believed.
            var every = Math.Max(1, (long)groups * bytes / Math.Max(1, file.Length));
            return [.. Enumerable.Range(0, (int)((groups + every - 1) / every)).Select(i => new FilePart(i, i * every, every, 0))];
        }
        catch (RejectedFileException)
        {
            return [];
        }
    }

    private static ParquetMetadata Open(SourceFile file, Stream stream)
    {
        try
        {
            return ParquetMetadata.Read(stream);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new RejectedFileException($"{file.Shown} is not a Parquet file ({e.Message}): repair it or leave it out", e);
        }
        catch (IOException e)
        {
            throw Unreadable(file, e);
        }
    }

    private static ParquetField? TextColumn(ParquetMetadata metadata, string name) =>
        metadata.Fields.FirstOrDefault(f => f.Name == name && f.IsText);

    private static string Names(IReadOnlyList<ParquetField> fields) =>
        string.Join(", ", fields.Take(NamesShown).Select(f => OneLine.Of(f.Name, NameShown) + (f.IsText ? "" : " (not strings)")))
        + (fields.Count > NamesShown ? $" and {fields.Count - NamesShown} more" : "");

    private static void CheckCodecs(SourceFile file, ParquetMetadata metadata, IReadOnlyList<ParquetField> columns)
    {
        foreach (var chunk in metadata.Groups.SelectMany(g => columns.Select(c => g.Columns.ElementAtOrDefault(c.Index))))
        {
            if (chunk is not null && ParquetCompression.ProblemOf(chunk.Codec) is { } problem)
                throw new RejectedFileException($"{file.Shown} cannot be read: {problem}");
        }
    }

    // One text a row.
    private static IEnumerable<ReadOnlyMemory<byte>> Values(ParquetPages pages, RowGroup group, ParquetField field)
    {
        var chunk = group.Columns.ElementAtOrDefault(field.Index) ?? throw new InvalidDataException($"column {field.Name} is missing");
        if (chunk.OtherFile is { } other)
            throw new InvalidDataException($"column {field.Name} is in another file, {OneLine.Of(other, NameShown)}");
        if (chunk.Type != ParquetMetadata.ByteArray)
            throw new InvalidDataException($"column {field.Name} holds no texts");
        if (chunk.Values != group.Rows)
            throw new InvalidDataException($"column {field.Name} has {chunk.Values} values for {group.Rows} rows");
        foreach (var text in pages.Texts(chunk, field))
            yield return text;
    }

    // The next row's text and source; null, with the problem, where the rest of the row group is damaged. A failure of this machine or
    // moment is an error instead: the same files must give the same documents.
    private static (string Text, string Source)? Next(
        SourceFile file, int group, ReadStatistics statistics, IEnumerator<ReadOnlyMemory<byte>> texts,
        IEnumerator<ReadOnlyMemory<byte>>? sources, out string problem)
    {
        problem = "its pages have fewer values than it has rows";
        try
        {
            if (!texts.MoveNext() || sources?.MoveNext() == false)
                return null;
            return (Decode(texts.Current, file, statistics), sources is null ? "" : Decode(sources.Current, file, statistics));
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            problem = e.Message;
            return null;
        }
        catch (Exception e) when (e is OutOfMemoryException or IOException)
        {
            throw Unreadable(file, e, group);
        }
    }

    private static ElasticException Unreadable(SourceFile file, Exception e, int? group = null) => new(
        $"{file.Shown}{(group is null ? "" : $": row group {group}")} cannot be read ({e.Message}): repair the file or leave it out", e);

    private static string Decode(ReadOnlyMemory<byte> bytes, SourceFile file, ReadStatistics statistics) =>
        Utf8.IsValid(bytes.Span) ? Encoding.UTF8.GetString(bytes.Span) : CountingUtf8.Decode(bytes.Span, file, statistics);
}
