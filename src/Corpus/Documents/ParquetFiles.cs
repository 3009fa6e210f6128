using Elastic.Corpus.Parquet;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads the column <c>text</c> of .parquet, by row groups, counted for the column <c>source</c> where there is one, with the columns
/// that <see cref="RecordFields"/> name. The reader is Elastic's own: it checks every length and every checksum, and a file that is
/// damaged in whatever way costs no more than its size allows.
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

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var stream = file.OpenRead();
        var metadata = Open(file, stream);
        var columns = new ParquetColumns(file, metadata);
        var pages = new ParquetPages(stream, metadata.PagesEnd, new ReadBudget(file.Shown, stream.Length));
        var (lost, firstProblem) = (0.0, "");
        var first = (int)(file.Part?.Skip ?? 0);
        var end = (int)Math.Min(metadata.Groups.Count, first + (file.Part?.Length ?? metadata.Groups.Count));
        for (var group = first; group < end; group++)
        {
            var (rows, given) = (metadata.Groups[group], 0L);
            using var reading = columns.Open(pages, rows);
            while (given < rows.Rows)
            {
                if (Next(file, group, statistics, reading, out var problem) is not var (value, name, values))
                {
                    problem = $"row group {group} cannot be read{(given == 0 ? "" : $" from row {given} on")} ({problem})";
                    firstProblem = lost == 0 ? problem : firstProblem;
                    var rest = rows.Rows - given;
                    lost += rest;
                    statistics.CountMalformed(file, 0, $"{problem}: {rest} of its {rows.Rows} rows are left out", records: rest);
                    break;
                }
                var document = new Document(name.Length > 0 ? name : file.Name, $"{file.Name}:{group}:{given++}", value);
                yield return file.Reading.Fields?.Of(document, values) ?? document;
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

    // The next row; null, with the problem, where the rest of the row group is damaged. A failure of this machine or
    // moment is an error instead: the same files must give the same documents.
    private static (string Text, string Source, IReadOnlyDictionary<string, string> Values)? Next(
        SourceFile file, int group, ReadStatistics statistics, ParquetRows rows, out string problem)
    {
        problem = "its pages have fewer values than it has rows";
        try
        {
            return rows.Next(file, statistics);
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
}
