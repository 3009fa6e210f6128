using System.IO.Compression;
using global::Parquet;
using global::Parquet.Schema;

namespace Elastic.Corpus.Build;

/// <summary>
/// A file of Parquet that is written row by row, in groups that its writer ends. Its bytes follow from the rows and the groups. Not
/// thread-safe.
/// </summary>
internal sealed class TableFile<TRow> : IAsyncDisposable
{
    private readonly ParquetWriter _writer;
    private readonly FileStream _file;
    private readonly IReadOnlyList<TableColumn<TRow>> _columns;

    private TableFile(FileStream file, ParquetWriter writer, IReadOnlyList<TableColumn<TRow>> columns) =>
        (_file, _writer, _columns) = (file, writer, columns);

    /// <summary>Rows that are in no group yet.</summary>
    public int Rows { get; private set; }

    /// <param name="path">Path of a new file.</param>
    /// <param name="about">Stands in the file beside the table.</param>
    /// <param name="level">How hard pages are packed: a part of the bytes.</param>
    public static async Task<TableFile<TRow>> CreateAsync(
        string path, IReadOnlyList<TableColumn<TRow>> columns, Dictionary<string, string> about, CompressionLevel level,
        CancellationToken cancel)
    {
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        try
        {
            var writer = await ParquetWriter.CreateAsync(
                new ParquetSchema(columns.Select(c => c.Field)), file,
                new ParquetOptions { CompressionMethod = CompressionMethod.Zstd, CompressionLevel = level }, cancellationToken: cancel);
            writer.CustomMetadata = about;
            return new TableFile<TRow>(file, writer, columns);
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>Adds a row to the group.</summary>
    public void Add(TRow row)
    {
        foreach (var column in _columns)
            column.Add(row);
        Rows++;
    }

    /// <summary>Writes the rows that were added as a group; nothing where there are none.</summary>
    public async Task EndGroupAsync(CancellationToken cancel)
    {
        if (Rows == 0)
            return;
        using var group = _writer.CreateRowGroup();
        foreach (var column in _columns)
            await column.WriteAsync(group, cancel);
        Rows = 0;
    }

    /// <summary>Ends the file, of which the last group must have been ended.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _writer.DisposeAsync();
        }
        finally
        {
            await _file.DisposeAsync();
        }
    }
}

/// <summary>
/// A column of a table, with the values of a group. The values and not the rows: with all that was read of each, rows take hundreds of
/// megabytes.
/// </summary>
internal abstract class TableColumn<TRow>(DataField field)
{
    public DataField Field { get; } = field;

    public abstract void Add(TRow row);

    /// <summary>Writes what was added, and forgets it.</summary>
    public abstract Task WriteAsync(ParquetRowGroupWriter group, CancellationToken cancel);
}

/// <summary>A column of texts, some of which may be missing.</summary>
internal sealed class TextColumn<TRow>(string name, Func<TRow, string?> value) : TableColumn<TRow>(new DataField<string>(name))
{
    private readonly List<string?> _values = [];

    // Most columns say the same for many rows, each of which has a string of its own.
    public override void Add(TRow row)
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

/// <summary>A column of numbers, some of which may be missing.</summary>
internal sealed class NumberColumn<TRow, T>(string name, Func<TRow, T?> value) : TableColumn<TRow>(new DataField<T?>(name)) where T : struct
{
    private T?[] _values = new T?[1024];
    private int _count;

    public override void Add(TRow row)
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
