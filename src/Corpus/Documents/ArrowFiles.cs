using Apache.Arrow;
using Apache.Arrow.Compression;
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
    // What a buffer may become: text shrinks to a third, and a batch is held whole. Columns that say the same in each row shrink more,
    // and are small.
    private const int Expansion = 30, SmallBuffer = 64 << 20;

    private const int NamesShown = 20;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = file.OpenRead();
        var (start, end) = ArrowMessages.Find(bytes, out var damage);
        if (!ArrowMessages.BeginWithSchema(bytes, start))
            throw new RejectedFileException($"{file.Shown} does not say in its first message which columns it has, as a file of Arrow must "
                + "(Arrow's library for JavaScript leaves that out): write it as a stream, or leave it out");
        bytes.Position = start;
        using var reader = new ArrowStreamReader(
            new UpTo(bytes, end - start), new BoundedMemory(Math.Max(SmallBuffer, Expansion * file.Length)), new CompressionCodecFactory(),
            leaveOpen: false);
        var (number, row) = (0, 0L);
        foreach (var batch in Batches(reader, file, statistics))
            using (batch)
            {
                if (!TryColumns(batch, file, out var text, out var source, out var url, out var wrong))
                {
                    statistics.CountMalformed(file, 0, $"batch {number++} is left out: {wrong}");
                    continue;
                }
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
        if (damage.Length > 0)
            statistics.CountMalformed(file, 0, $"{damage}, and the rest of the file is lost", file.Length - end);
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
            catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
            {
                statistics.CountMalformed(file, 0, $"batch {number} cannot be read, and the rest of the file is lost: {e.Message}");
                yield break;
            }
            if (batch is null)
                yield break;
            yield return batch;
        }
    }

    private static bool TryColumns(
        RecordBatch batch, SourceFile file, out Func<int, string?> text, out Func<int, string?>? source, out Func<int, string?>? url,
        out string damage)
    {
        try
        {
            (source, url) = (Column(batch, "source"), Column(batch, "url"));
            text = Column(batch, file.Reading.TextField) ?? throw new RejectedFileException(
                $"{file.Shown} has no column \"{file.Reading.TextField}\" of strings (it has "
                + $"{string.Join(", ", batch.Schema.FieldsList.Take(NamesShown).Select(f => OneLine.Of(f.Name, 60)))}): name the right one "
                + "with corpus.text-field (text-field in a manifest), or name other files");
            // Each text has its place in four bytes at least.
            damage = batch.Length > file.Length / sizeof(int) ? $"it claims {batch.Length} rows, more than the file holds" : "";
            return damage.Length == 0;
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            (text, source, url, damage) = (_ => null, null, null, e.Message);
            return false;
        }
    }

    private static Func<int, string?>? Column(RecordBatch batch, string name)
    {
        var field = batch.Schema.FieldsList.Index().FirstOrDefault(f => f.Item.Name == name);
        return field.Item is null ? null : Strings(batch.Column(field.Index));
    }

    private static Func<int, string?>? Strings(IArrowArray column) => column switch
    {
        StringArray texts => i => texts.GetString(i),
        LargeStringArray texts => i => texts.GetString(i),
        StringViewArray texts => i => texts.GetString(i),
        // What repeats is often stored once, with a number in each row.
        DictionaryArray coded when Strings(coded.Dictionary) is { } values && Numbers(coded.Indices) is { } number =>
            i => number(i) is { } place ? values(checked((int)place)) : null,
        _ => null,
    };

    private static Func<int, long?>? Numbers(IArrowArray column) => column switch
    {
        Int8Array numbers => i => numbers.GetValue(i),
        Int16Array numbers => i => numbers.GetValue(i),
        Int32Array numbers => i => numbers.GetValue(i),
        Int64Array numbers => i => numbers.GetValue(i),
        UInt8Array numbers => i => numbers.GetValue(i),
        UInt16Array numbers => i => numbers.GetValue(i),
        UInt32Array numbers => i => numbers.GetValue(i),
        UInt64Array numbers => i => checked((long?)numbers.GetValue(i)),
        _ => null,
    };

    private static bool TryRow(
        Func<int, string?> text, Func<int, string?>? source, Func<int, string?>? url, int row,
        out (string? Text, string? Source, string? Url) values, out string problem)
    {
        try
        {
            (values, problem) = ((text(row), source?.Invoke(row), url?.Invoke(row)), "");
            return true;
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            (values, problem) = (default, e.Message);
            return false;
        }
    }

    /// <summary>The messages that are whole.</summary>
    private sealed class UpTo(Stream bytes, long length) : ReadOnlyStream
    {
        private long _left = length;

        public override int Read(Span<byte> buffer)
        {
            var read = bytes.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
            _left -= read;
            return read;
        }
    }

    /// <summary>No buffer is larger than the file may become.</summary>
    private sealed class BoundedMemory(long most) : NativeMemoryAllocator
    {
        protected override System.Buffers.IMemoryOwner<byte> AllocateInternal(int length, out int bytesAllocated) =>
            length <= most ? base.AllocateInternal(length, out bytesAllocated)
                : throw new InvalidDataException($"a buffer claims {length} bytes, more than a file of this size may hold");
    }
}
