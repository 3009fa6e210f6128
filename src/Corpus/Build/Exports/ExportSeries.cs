using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Elastic.Corpus.Build.Exports;

/// <summary>How large the files of an export grow, and the groups of rows in them.</summary>
/// <param name="FileBytes">UTF-8 bytes of the texts of a file, unless one text alone is longer.</param>
/// <param name="GroupBytes">
/// UTF-8 bytes of the texts of a group of rows, which is in memory as a whole when it is written and when it is read.
/// </param>
/// <param name="GroupRows">Rows of a group at most.</param>
internal sealed record ExportLimits(long FileBytes, long GroupBytes, int GroupRows)
{
    /// <summary>
    /// Files as those of a build. A group of 16 MiB is small for its readers, and large enough for zstd; parts have one each in memory.
    /// </summary>
    public static ExportLimits Default { get; } = new(TextSeries.LinesBytes, 16 << 20, 1 << 16);
}

/// <summary>The files of one part of an export, in its folder: "train-00000.parquet", "train-00001.parquet" … Not thread-safe.</summary>
internal abstract class ExportSeries : IAsyncDisposable
{
    public static ExportSeries Of(ExportFormat format, string folder, string part, string text, ExportLimits limits) => format switch
    {
        ExportFormat.Parquet => new Tables(folder, part, text, limits),
        _ => new Lines(folder, part),
    };

    public abstract ValueTask AddAsync(ExportedRecord record, CancellationToken cancel);

    /// <summary>Closes the last file.</summary>
    /// <returns>All files, which are on the disk.</returns>
    public abstract Task<IReadOnlyList<BuiltFile>> CompleteAsync(CancellationToken cancel);

    public abstract ValueTask DisposeAsync();

    private sealed class Lines(string folder, string part) : ExportSeries
    {
        private readonly TextSeries _series = new(folder, "", part);

        public override ValueTask AddAsync(ExportedRecord record, CancellationToken cancel)
        {
            _series.Write(record);
            return default;
        }

        public override Task<IReadOnlyList<BuiltFile>> CompleteAsync(CancellationToken cancel) => Task.FromResult(_series.Complete());

        public override ValueTask DisposeAsync()
        {
            _series.Dispose();
            return default;
        }
    }

    private sealed class Tables(string folder, string part, string text, ExportLimits limits) : ExportSeries
    {
        // 2.6 s for 84 MB of text, against 61 s for the smallest files, which have two thirds of the bytes.
        private const CompressionLevel Level = CompressionLevel.Optimal;

        private readonly List<BuiltFile> _files = [];
        private TableFile<ExportedRecord>? _open;
        private string _path = "";
        private long _bytes, _groupBytes;

        public override async ValueTask AddAsync(ExportedRecord record, CancellationToken cancel)
        {
            var bytes = Encoding.UTF8.GetByteCount(record.Text);
            if (_bytes > 0 && _bytes + bytes > limits.FileBytes)
                await CloseAsync(cancel);
            _open ??= await NextAsync(cancel);
            if (_open.Rows == limits.GroupRows || (_open.Rows > 0 && _groupBytes + bytes > limits.GroupBytes))
            {
                await _open.EndGroupAsync(cancel);
                _groupBytes = 0;
            }
            _open.Add(record);
            (_bytes, _groupBytes) = (_bytes + bytes, _groupBytes + bytes);
        }

        public override async Task<IReadOnlyList<BuiltFile>> CompleteAsync(CancellationToken cancel)
        {
            await CloseAsync(cancel);
            return _files;
        }

        public override ValueTask DisposeAsync() => _open?.DisposeAsync() ?? default;

        private async Task<TableFile<ExportedRecord>> NextAsync(CancellationToken cancel)
        {
            _path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{part}-{_files.Count:00000}.parquet"));
            return await TableFile<ExportedRecord>.CreateAsync(
                _path, ExportedRecord.Columns(part == TextExport.Dropped), new() { ["elastic.text"] = text }, Level, cancel);
        }

        private async Task CloseAsync(CancellationToken cancel)
        {
            if (_open is not { } last)
                return;
            await last.EndGroupAsync(cancel);
            _open = null;
            await last.DisposeAsync();
            _files.Add(BuiltFile.Kept(folder, _path));
            (_bytes, _groupBytes) = (0, 0);
        }
    }
}
