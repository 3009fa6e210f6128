using Elastic.Foundation;
using Parquet;
using Parquet.Schema;

namespace Elastic.Corpus;

/// <summary>Reads the column <c>text</c> of .parquet, by row groups, counted for the column <c>source</c> where there is one.</summary>
internal static class ParquetFiles
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var stream = file.OpenRead();
        var reader = Open(file, stream);
        try
        {
            var columns = string.Join(", ", reader.Schema.DataFields.Select(f => f.Name));
            var text = StringColumn(reader, "text") ?? throw new ElasticException(
                $"{file.Path} has no column \"text\" of strings (it has {columns}): rename one, or name other files");
            var source = StringColumn(reader, "source");
            for (var group = 0; group < reader.RowGroupCount; group++)
            {
                if (ReadGroup(file, statistics, reader, group, text, source) is not var (texts, sources))
                    continue;
                for (var row = 0; row < texts.Length; row++)
                {
                    var name = sources?[row] is { Length: > 0 } given ? given : file.Name;
                    yield return new Document(name, $"{file.Name}:{group}:{row}", texts[row] ?? "");
                }
            }
        }
        finally
        {
            Wait(reader.DisposeAsync().AsTask());
        }
    }

    private static ParquetReader Open(SourceFile file, Stream stream)
    {
        try
        {
            var reader = ParquetReader.CreateAsync(stream).GetAwaiter().GetResult();
            _ = reader.Schema; // reads the schema now: it may be damaged, too
            return reader;
        }
        catch (Exception e)
        {
            throw new ElasticException($"{file.Path} is not a Parquet file ({e.Message}): repair it or leave it out", e);
        }
    }

    // Returns null, and counts, where a page of the group is damaged. A failure of this machine or moment is an error instead: the same
    // files must give the same documents.
    private static (string?[] Texts, string?[]? Sources)? ReadGroup(
        SourceFile file, ReadStatistics statistics, ParquetReader reader, int group, DataField text, DataField? source)
    {
        try
        {
            using var rows = reader.OpenRowGroupReader(group);
            return (Column(rows, text), source is null ? null : Column(rows, source));
        }
        catch (Exception e) when (e is OutOfMemoryException || (e is IOException and not EndOfStreamException))
        {
            throw new ElasticException($"{file.Path}: row group {group} cannot be read ({e.Message}): repair the file or leave it out", e);
        }
        catch (Exception e)
        {
            statistics.CountMalformed(file, 0, $"row group {group} cannot be read: {e.Message}");
            return null;
        }
    }

    // The type by which Parquet.Net marks a column of strings.
    private static DataField? StringColumn(ParquetReader reader, string name) =>
        reader.Schema.DataFields.FirstOrDefault(f => f.Path.ToString() == name && f.ClrType == typeof(ReadOnlyMemory<char>));

    private static string?[] Column(ParquetRowGroupReader rows, DataField column)
    {
        var values = new string?[rows.RowCount];
        Wait(rows.ReadAsync(column, values.AsMemory()!).AsTask());
        return values;
    }

    // The one reader thread has no other work, and the tasks do only file I/O.
    private static void Wait(Task task) => task.GetAwaiter().GetResult();
}
