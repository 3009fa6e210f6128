using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Build.Exports;

/// <summary>What the files of an export are.</summary>
public enum ExportFormat
{
    /// <summary>Tables, a row for each text.</summary>
    Parquet,

    /// <summary>JSON, a line for each text, packed by zstd.</summary>
    JsonLines,
}

/// <summary>A part of an export.</summary>
/// <param name="Name">What its files' names begin with.</param>
/// <param name="Documents">Documents with text in it.</param>
/// <param name="Records">Their texts; more than documents where some were cut.</param>
/// <param name="Bytes">UTF-8 bytes of the texts.</param>
public sealed record ExportedPart(string Name, long Documents, long Records, long Bytes);

/// <summary>What an export came to; stored in its folder as <see cref="TextExport.FileName"/>, written last.</summary>
/// <param name="Text">The build's id.</param>
/// <param name="Parts">Parts of the build that have text.</param>
/// <param name="Files">All files but this one.</param>
public sealed record ExportReport(string Text, IReadOnlyList<ExportedPart> Parts, IReadOnlyList<BuiltFile> Files);

/// <summary>
/// The texts of a build in a folder for other programs, each with what is known of its document, in key order. The bytes follow from the
/// text that was built.
/// </summary>
public static class TextExport
{
    /// <summary>The report's name in the folder.</summary>
    public const string FileName = "export.json";

    internal const string Dropped = "dropped";

    private const string Datasheet = "datasheet.md";

    /// <summary>Writes the files.</summary>
    /// <param name="folder">There, and empty.</param>
    /// <param name="withDropped">Also what was dropped, with stage and reason.</param>
    /// <param name="cancel">Looked at with each document.</param>
    /// <exception cref="ElasticException">A file of the build is damaged.</exception>
    public static Task<ExportReport> WriteAsync(
        BuiltText text, string folder, ExportFormat format, bool withDropped, CancellationToken cancel) =>
        WriteAsync(text, folder, format, withDropped, ExportLimits.Default, cancel);

    internal static async Task<ExportReport> WriteAsync(
        BuiltText text, string folder, ExportFormat format, bool withDropped, ExportLimits limits, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = new List<Part>();
        try
        {
            parts.AddRange(Enum.GetValues<Split>().Select(split => Open(MetadataTable.PartOf(split), text.Records(split))));
            if (withDropped)
                parts.Add(Open(Dropped, text.DroppedRecords()));
            foreach (var document in text.Rows(cancel))
            {
                cancel.ThrowIfCancellationRequested();
                var name = document.Dropped is null ? MetadataTable.PartOf(document.Split) : Dropped;
                if (parts.Find(p => p.Name == name) is { } part)
                    await part.AddAsync(document, cancel);
            }
            var files = new List<BuiltFile>();
            foreach (var part in parts)
                files.AddRange(await part.CompleteAsync(text, cancel));
            await File.WriteAllBytesAsync(
                Path.Combine(folder, Datasheet), await File.ReadAllBytesAsync(Path.Combine(text.Folder, Datasheet), cancel), cancel);
            files.Add(BuiltFile.Kept(folder, Path.Combine(folder, Datasheet)));
            var report = new ExportReport(text.Report.Id, [.. parts.Select(p => p.Sum).Where(s => s.Records > 0)], files);
            DurableFile.WriteDurably(Path.Combine(folder, FileName), [.. PieceLines.Of(report), (byte)'\n']);
            return report;
        }
        finally
        {
            foreach (var part in parts)
                await part.DisposeAsync();
        }

        Part Open(string name, IEnumerable<BuiltRecord> records) =>
            new(name, records, ExportSeries.Of(format, folder, name, text.Report.Id, limits));
    }

    // Documents and records are both in key order: one pass over each of them.
    private sealed class Part : IAsyncDisposable
    {
        private readonly IEnumerator<BuiltRecord> _records;
        private readonly ExportSeries _series;
        private bool _hasRecord;

        public Part(string name, IEnumerable<BuiltRecord> records, ExportSeries series)
        {
            (Sum, _records, _series) = (new ExportedPart(name, 0, 0, 0), records.GetEnumerator(), series);
            _hasRecord = _records.MoveNext();
        }

        public string Name => Sum.Name;

        public ExportedPart Sum { get; private set; }

        public async Task AddAsync(BuiltDocument document, CancellationToken cancel)
        {
            for (var first = 1; _hasRecord && _records.Current.Id == document.Id; _hasRecord = _records.MoveNext(), first = 0)
            {
                var record = ExportedRecord.Of(document, _records.Current);
                await _series.AddAsync(record, cancel);
                Sum = new ExportedPart(
                    Name, Sum.Documents + first, Sum.Records + 1, Sum.Bytes + Encoding.UTF8.GetByteCount(record.Text));
            }
        }

        public Task<IReadOnlyList<BuiltFile>> CompleteAsync(BuiltText text, CancellationToken cancel) => !_hasRecord
            ? _series.CompleteAsync(cancel)
            : throw new ElasticException($"{text.Folder} is damaged: its list of documents has no document {_records.Current.Id} behind "
                + $"those of the texts before it ({Name}); delete the folder and build the text again");

        public async ValueTask DisposeAsync()
        {
            _records.Dispose();
            await _series.DisposeAsync();
        }
    }
}
