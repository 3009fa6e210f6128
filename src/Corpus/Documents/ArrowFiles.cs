using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Memory;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads .arrow, in the form of a stream (as Hugging Face datasets write it) or of a file: the column <c>text</c>, counted for the column
/// <c>source</c> where there is one, with the column <c>url</c>. A batch is in memory at a time.
/// </summary>
internal static class ArrowFiles
{
    private const int NamesShown = 20;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = file.OpenRead();
        using var reader = Open(bytes, file);
        var (number, row) = (0, 0L);
        foreach (var batch in Batches(reader, file, statistics))
            using (batch)
            {
                var schema = batch.Schema;
                var text = Column(batch, file.Reading.TextField) ?? throw new RejectedFileException(
                    $"{file.Path} has no column \"{file.Reading.TextField}\" of strings (it has "
                    + $"{string.Join(", ", schema.FieldsList.Take(NamesShown).Select(f => OneLine.Of(f.Name, 60)))}): name the right one "
                    + "with corpus.text-field (text-field in a manifest), or name other files");
                var (source, url) = (Column(batch, "source"), Column(batch, "url"));
                for (var i = 0; i < batch.Length; i++, row++)
                {
                    if (!TryRow(text, source, url, i, out var values, out var problem))
                    {
                        statistics.CountMalformed(
                            file, 0, $"batch {number} is damaged from row {i} on ({problem}): {batch.Length - i} rows are left out",
                            records: batch.Length - i);
                        break;
                    }
                    yield return new Document(values.Source is { Length: > 0 } s ? s : file.Name, $"{file.Name}:{row}", values.Text ?? "")
                    {
                        Url = values.Url is { Length: > 0 } u ? u : null,
                    };
                }
                number++;
            }
    }

    private static ArrowStreamReader Open(Stream bytes, SourceFile file)
    {
        Span<byte> start = stackalloc byte[6];
        var isFile = bytes.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("ARROW1"u8);
        bytes.Position = 0;
        var memory = new BoundedMemory(file.Length);
        return isFile ? new ArrowFileReader(bytes, memory) : new ArrowStreamReader(bytes, memory);
    }

    // Whatever the library throws at bytes is a fault of the file: what the disk does not give is an ElasticException already.
    private static IEnumerable<RecordBatch> Batches(ArrowStreamReader reader, SourceFile file, ReadStatistics statistics)
    {
        for (var number = 0; ; number++)
        {
            RecordBatch? batch;
            try
            {
                batch = reader.ReadNextRecordBatch();
            }
            catch (Exception e) when (e is not (ElasticException or OutOfMemoryException))
            {
                statistics.CountMalformed(file, 0, $"batch {number} cannot be read, and the rest of the file is lost: {e.Message}");
                yield break;
            }
            if (batch is null)
                yield break;
            yield return batch;
        }
    }

    private static Func<int, string?>? Column(RecordBatch batch, string name)
    {
        var field = batch.Schema.FieldsList.Index().FirstOrDefault(f => f.Item.Name == name);
        return field.Item is null ? null : batch.Column(field.Index) switch
        {
            StringArray texts => i => texts.GetString(i),
            LargeStringArray texts => i => texts.GetString(i),
            StringViewArray texts => i => texts.GetString(i),
            _ => null,
        };
    }

    private static bool TryRow(
        Func<int, string?> text, Func<int, string?>? source, Func<int, string?>? url, int row,
        out (string? Text, string? Source, string? Url) values, out string problem)
    {
        try
        {
            (values, problem) = ((text(row), source?.Invoke(row), url?.Invoke(row)), "");
            return true;
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            (values, problem) = (default, e.Message);
            return false;
        }
    }

    /// <summary>No buffer of a file is larger than the file.</summary>
    private sealed class BoundedMemory(long most) : NativeMemoryAllocator
    {
        protected override System.Buffers.IMemoryOwner<byte> AllocateInternal(int length, out int bytesAllocated) =>
            length <= most ? base.AllocateInternal(length, out bytesAllocated)
                : throw new InvalidDataException($"a buffer claims {length} bytes, more than the file has");
    }
}
