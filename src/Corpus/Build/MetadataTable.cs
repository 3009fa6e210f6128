using Elastic.Foundation;
using Elastic.Messages.Settings;
using global::Parquet;
using global::Parquet.Schema;

namespace Elastic.Corpus.Build;

/// <summary>
/// A row for each document that a build read, beside the shards of the corpus that was made of it: Parquet, in key order. The bytes follow
/// from text and corpus.
/// </summary>
public static class MetadataTable
{
    private const int RowsInGroup = 1 << 16;

    /// <summary>The file's name in the corpus folder.</summary>
    public static string NameOf(BuiltText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return $"documents-{text.Report.Id[..12]}.parquet";
    }

    /// <summary>Writes the table, unless it is there.</summary>
    /// <param name="settings">By which the corpus was made of the text: see <see cref="BuiltText.Of"/>.</param>
    /// <param name="step">See <see cref="CorpusBuilder.Step"/>.</param>
    /// <returns>Its path.</returns>
    /// <exception cref="ElasticException">The corpus was made of another text, or a file is damaged.</exception>
    public static Task<string> WriteAsync(
        BuiltText text, BuiltCorpus corpus, CorpusSettings settings, CancellationToken cancel, Action<string>? step = null) =>
        WriteAsync(text, corpus, settings, RowsInGroup, cancel, step);

    internal static async Task<string> WriteAsync(
        BuiltText text, BuiltCorpus corpus, CorpusSettings settings, int rowsInGroup, CancellationToken cancel, Action<string>? step = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(settings);
        var path = Path.Combine(corpus.Folder, NameOf(text));
        if (File.Exists(path))
            return path;
        var columns = Columns(text.Report);
        var temporary = DurableFile.TemporaryPath(path);
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
            {
                var options = new ParquetOptions { CompressionMethod = CompressionMethod.Zstd };
                await using var writer = await ParquetWriter.CreateAsync(
                    new ParquetSchema(columns.Select(c => c.Field)), file, options, cancellationToken: cancel);
                writer.CustomMetadata = new Dictionary<string, string>
                {
                    ["elastic.text"] = text.Report.Id,
                    ["elastic.corpus"] = corpus.Id.Hex,
                };
                var rows = 0;
                foreach (var row in Rows(text, corpus, settings))
                {
                    foreach (var column in columns)
                        column.Add(row);
                    step?.Invoke("metadata");
                    if (++rows % rowsInGroup == 0)
                        await WriteAsync(writer, columns, cancel);
                }
                if (rows % rowsInGroup != 0)
                    await WriteAsync(writer, columns, cancel);
            }
            DurableFile.Flush(temporary);
            File.Move(temporary, path, overwrite: true);
            DurableFile.FlushFolder(corpus.Folder);
            return path;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static async Task WriteAsync(ParquetWriter writer, List<Column> columns, CancellationToken cancel)
    {
        using var group = writer.CreateRowGroup();
        foreach (var column in columns)
            await column.WriteAsync(group, cancel);
    }

    private static IEnumerable<Row> Rows(BuiltText text, BuiltCorpus corpus, CorpusSettings settings)
    {
        using var train = DocumentTokens.Of(text, corpus, Split.Train, settings.HeldOutShare).GetEnumerator();
        using var validation = DocumentTokens.Of(text, corpus, Split.Validation, settings.HeldOutShare).GetEnumerator();
        var (hasTrain, hasValidation) = (train.MoveNext(), settings.Validation.Count > 0 && validation.MoveNext());
        foreach (var document in text.Rows())
        {
            var (tokens, isHeldOut) = ((long?)null, false);
            for (; hasTrain && train.Current.Id == document.Id; hasTrain = train.MoveNext())
                (tokens, isHeldOut) = ((tokens ?? 0) + train.Current.Place.Tokens, isHeldOut || train.Current.IsHeldOut);
            for (; hasValidation && validation.Current.Id == document.Id; hasValidation = validation.MoveNext())
                tokens = (tokens ?? 0) + validation.Current.Place.Tokens;
            yield return new Row(document, tokens, isHeldOut);
        }
    }

    private static List<Column> Columns(BuildReport report) =>
    [
        new Numbers<long>("id", r => r.Document.Id),
        new Texts("source", r => r.Document.Source),
        new Texts("url", r => r.Document.Url),
        new Texts("path", r => r.Document.Name),
        new Numbers<long>("line", r => r.Document.Line),
        new Texts("language", r => r.Document.Language),
        new Texts("licence", r => r.Document.Licence),
        new Numbers<int>("bytes", r => r.Document.Bytes),
        new Numbers<long>("tokens", r => r.Tokens),
        new Texts("split", r => r.Document.Dropped is not null ? null : r.IsHeldOut ? "held-out" : PartOf(r.Document.Split)),
        new Texts("decision", r => r.Document.Dropped ?? "kept"),
        new Texts("why", r => r.Document.Why),
        new Numbers<long>("match", r => r.Document.Match),
        new Numbers<double>("similarity", r => r.Document.Similarity),
        new Numbers<int>("cluster", r => r.Document.Cluster ?? 1),
        new Numbers<int>("pieces", r => r.Document.Pieces),
        .. report.Signals.Select(name => new Numbers<double>(
            name, r => r.Document.Signals.TryGetValue(name, out var value) ? value : null)),
    ];

    private static string PartOf(Split split) => split switch
    {
        Split.Validation => "validation",
        Split.Test => "test",
        _ => "train",
    };

    private sealed record Row(BuiltDocument Document, long? Tokens, bool IsHeldOut);

    // The values of a group by column, and not its rows: with all that was read of each, these take a hundred megabytes.
    private abstract class Column(DataField column)
    {
        public DataField Field { get; } = column;

        public abstract void Add(Row row);

        /// <summary>Writes what was added, and forgets it.</summary>
        public abstract Task WriteAsync(ParquetRowGroupWriter group, CancellationToken cancel);
    }

    private sealed class Texts(string name, Func<Row, string?> value) : Column(new DataField<string>(name))
    {
        private readonly List<string?> _values = [];

        // Most columns say the same for many rows, each of which has a string of its own.
        public override void Add(Row row)
        {
            var text = value(row);
            _values.Add(_values.Count > 0 && text == _values[^1] ? _values[^1] : text);
        }

        public override async Task WriteAsync(ParquetRowGroupWriter group, CancellationToken cancel)
        {
            await group.WriteAsync(Field, _values!);
            _values.Clear();
        }
    }

    private sealed class Numbers<T>(string name, Func<Row, T?> value) : Column(new DataField<T?>(name)) where T : struct
    {
        private T?[] _values = new T?[1024];
        private int _count;

        public override void Add(Row row)
        {
            if (_count == _values.Length)
                Array.Resize(ref _values, 2 * _count);
            _values[_count++] = value(row);
        }

        public override async Task WriteAsync(ParquetRowGroupWriter group, CancellationToken cancel)
        {
            await group.WriteAsync<T>(Field, _values.AsMemory(0, _count), cancellationToken: cancel);
            _count = 0;
        }
    }
}
