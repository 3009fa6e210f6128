using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Memory;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads .arrow, in the form of a stream (as Hugging Face datasets write it) or of a file: the column <c>text</c>, counted for the column
/// <c>source</c> where there is one, with the column <c>url</c> or those that <see cref="RecordFields"/> name. A batch is in memory at a
/// time.
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
        var rows = 0L;
        ArrowExtent? next = ArrowMessages.Find(bytes);
        while (next is { } stream)
        {
            foreach (var document in OfStream(bytes, stream, file, rows, statistics))
            {
                rows++;
                yield return document;
            }
            // Nobody sees without unpacking it whether a packed file or a member holds several streams, and a corpus is named after what is
            // read of its files: there another stream is not read.
            next = file.Member is null ? ArrowMessages.FindNext(bytes, stream) : null;
            if (next is null && stream.Rest < stream.Stop)
                statistics.CountRest(
                    file, 0, stream.IsFile ? "what follows the messages is not the foot of the file, and is lost"
                        : "what follows the end of the stream is lost: if that is another one, give it a file of its own",
                    stream.Stop - stream.Rest);
        }
    }

    private static IEnumerable<Document> OfStream(
        Stream bytes, ArrowExtent stream, SourceFile file, long firstRow, ReadStatistics statistics)
    {
        if (!ArrowMessages.BeginWithSchema(bytes, stream.Start))
            throw new RejectedFileException($"{file.Shown} does not say in its first message which columns it has, as a file of Arrow must "
                + "(Arrow's library for JavaScript leaves that out): write it as a stream, or leave it out");
        bytes.Position = stream.Start;
        var messages = new UpTo(bytes, stream.End - stream.Start);
        using var reader = new ArrowStreamReader(
            messages, new BoundedMemory(Math.Max(SmallBuffer, Expansion * file.Length)), new CompressionCodecFactory(),
            leaveOpen: false);
        var (number, rows) = (0, firstRow);
        foreach (var (batch, length) in Batches(reader, messages, file, statistics))
            using (batch)
            {
                if (!TryColumns(batch, file, out var columns, out var wrong))
                {
                    statistics.CountMalformed(file, 0, $"batch {number++} is left out: {wrong}", length);
                    continue;
                }
                for (var i = 0; i < batch.Length; i++, rows++)
                {
                    if (!TryRow(columns, i, out var row, out var problem))
                    {
                        statistics.CountMalformed(
                            file, 0, $"batch {number} is damaged from row {i} on ({problem}): {batch.Length - i} rows are left out",
                            length * (batch.Length - i) / batch.Length, batch.Length - i);
                        break;
                    }
                    var document = new Document(row.Source is { Length: > 0 } s ? s : file.Name, $"{file.Name}:{rows}", row.Text ?? "");
                    yield return file.Reading.Fields is { } fields ? fields.Of(document, row.Values)
                        : document with { Url = row.Values.GetValueOrDefault(RecordFields.UsualUrl) };
                }
                number++;
            }
        if (stream.Problem.Length > 0)
            statistics.CountRest(
                file, 0, $"{stream.Problem}, and the rest of the file is lost",
                stream.IsCutShort && file.Member is not { IsDamaged: true } ? null : file.Length - stream.End);
    }

    /// <summary>Whether a batch has more rows than earlier versions took for possible, which left it out.</summary>
    public static bool ReadsMoreThanBefore(SourceFile file)
    {
        using var bytes = file.OpenRead();
        return ArrowMessages.MostRows(bytes, ArrowMessages.Find(bytes)) > file.Length / sizeof(int);
    }

    /// <summary>Whether another stream with rows follows the end of the first one, which earlier versions passed over.</summary>
    public static bool IsJoined(SourceFile file)
    {
        using var bytes = file.OpenRead();
        var (stream, isJoined) = ((ArrowExtent?)ArrowMessages.Find(bytes), false);
        while (!isJoined && stream is { } last)
        {
            stream = ArrowMessages.FindNext(bytes, last);
            isJoined = stream is { } next && ArrowMessages.MostRows(bytes, next) > 0;
        }
        return isJoined;
    }

    // Whatever the library throws at bytes is a fault of the file: what the disk does not give is an ElasticException already.
    private static IEnumerable<(RecordBatch Batch, long Bytes)> Batches(
        ArrowStreamReader reader, UpTo messages, SourceFile file, ReadStatistics statistics)
    {
        for (var number = 0; ; number++)
        {
            RecordBatch? batch;
            var left = messages.Left;
            try
            {
                batch = reader.ReadNextRecordBatch();
            }
            catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
            {
                statistics.CountMalformed(file, 0, $"batch {number} cannot be read, and the rest of the file is lost: {e.Message}", left);
                yield break;
            }
            if (batch is null)
                yield break;
            yield return (batch, left - messages.Left);
        }
    }

    private static bool TryColumns(RecordBatch batch, SourceFile file, out BatchColumns columns, out string damage)
    {
        try
        {
            var text = Column(batch, file.Reading.TextField, numbers: false) ?? throw new RejectedFileException(
                Missing(batch, file, file.Reading.TextField, "corpus.text-field (text-field in a manifest), or name other files"));
            var fields = file.Reading.Fields;
            var others = (fields?.Names ?? [RecordFields.UsualUrl])
                .Select(name => (name, Column(batch, name, numbers: fields?.Others.Contains(name) == true))).ToList();
            if (others.Find(o => o.Item2 is null && fields?.IsNamed(o.name) == true).name is { } missing)
                throw new ElasticException(Missing(batch, file, missing, "url-field, date-field or language-field of its source"));
            columns = new BatchColumns(
                text, Column(batch, "source", numbers: false), [.. others.Where(o => o.Item2 is not null).Select(o => (o.name, o.Item2!))]);
            // As of each column, see ArrowMessages: places and numbers of texts take next to nothing where they are compressed.
            damage = batch.Length > file.Length ? $"it claims {batch.Length} rows, more than the file holds" : "";
            return damage.Length == 0;
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            (columns, damage) = (new BatchColumns(_ => null, null, []), e.Message);
            return false;
        }
    }

    private static string Missing(RecordBatch batch, SourceFile file, string name, string where) =>
        $"{file.Shown} has no column \"{name}\" of strings (it has "
        + $"{string.Join(", ", batch.Schema.FieldsList.Take(NamesShown).Select(f => OneLine.Of(f.Name, 60)))}): name the right one "
        + $"with {where}";

    private static Func<int, string?>? Column(RecordBatch batch, string name, bool numbers)
    {
        var field = batch.Schema.FieldsList.Index().FirstOrDefault(f => f.Item.Name == name);
        if (field.Item is null)
            return null;
        var column = batch.Column(field.Index);
        return Strings(column) ?? (numbers ? Fractions(column) : null);
    }

    private static Func<int, string?>? Strings(IArrowArray column) => column switch
    {
        // The library's GetString does not look whether a text lies in its buffer: of a damaged file it reads other memory, or ends the
        // process. GetBytes does.
        StringArray texts => i => texts.GetBytes(i, out var isNull) is var text && isNull ? null : Encoding.UTF8.GetString(text),
        LargeStringArray texts => i => texts.GetBytes(i, out var isNull) is var text && isNull ? null : Encoding.UTF8.GetString(text),
        StringViewArray texts => i => texts.GetBytes(i, out var isNull) is var text && isNull ? null : Encoding.UTF8.GetString(text),
        // What repeats is often stored once, with a number in each row.
        DictionaryArray coded when Strings(coded.Dictionary) is { } values && Numbers(coded.Indices) is { } number =>
            i => number(i) is { } place ? values(checked((int)place)) : null,
        _ => null,
    };

    private static Func<int, string?>? Fractions(IArrowArray column) => column switch
    {
        FloatArray numbers => i => numbers.GetValue(i)?.ToString("R", CultureInfo.InvariantCulture),
        DoubleArray numbers => i => numbers.GetValue(i)?.ToString("R", CultureInfo.InvariantCulture),
        BooleanArray words => i => words.GetValue(i) is { } word ? word ? "true" : "false" : null,
        _ when Numbers(column) is { } number => i => number(i)?.ToString(CultureInfo.InvariantCulture),
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

    private static bool TryRow(BatchColumns columns, int row, out BatchRow values, out string problem)
    {
        try
        {
            var others = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (name, column) in columns.Others)
            {
                if (column(row) is { Length: > 0 and <= RecordFields.LongestValue } value)
                    others[name] = value;
            }
            (values, problem) = (new BatchRow(columns.Text(row), columns.Source?.Invoke(row), others), "");
            return true;
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            (values, problem) = (new BatchRow(null, null, new Dictionary<string, string>()), e.Message);
            return false;
        }
    }

    /// <summary>What gives the values of a batch by their row.</summary>
    private sealed record BatchColumns(
        Func<int, string?> Text, Func<int, string?>? Source, IReadOnlyList<(string Name, Func<int, string?> Values)> Others);

    private sealed record BatchRow(string? Text, string? Source, IReadOnlyDictionary<string, string> Values);

    /// <summary>The messages that are whole.</summary>
    private sealed class UpTo(Stream bytes, long length) : ReadOnlyStream
    {
        /// <summary>Bytes that are not read yet.</summary>
        public long Left { get; private set; } = length;

        public override int Read(Span<byte> buffer)
        {
            var read = bytes.Read(buffer[..(int)Math.Min(buffer.Length, Left)]);
            Left -= read;
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
