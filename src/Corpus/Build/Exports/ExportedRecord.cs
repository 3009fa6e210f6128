namespace Elastic.Corpus.Build.Exports;

/// <summary>A text as an export has it: the record of the build, with what is known of the document. A line, or a row.</summary>
internal sealed record ExportedRecord
{
    public required string Text { get; init; }

    /// <summary>The number of its document; pieces that a document was cut into have the same.</summary>
    public required long Id { get; init; }

    public required string Source { get; init; }

    public string? Language { get; init; }

    public string? Licence { get; init; }

    public string? Url { get; init; }

    public string? Date { get; init; }

    /// <summary>The stage that dropped it; null where it was kept.</summary>
    public string? Dropped { get; init; }

    public string? Why { get; init; }

    public static ExportedRecord Of(BuiltDocument document, BuiltRecord record) => new()
    {
        Text = record.Text,
        Id = document.Id,
        Source = record.Source,
        Language = document.Language,
        Licence = document.Licence,
        Url = document.Url,
        Date = document.Date,
        Dropped = record.Dropped,
        Why = record.Why,
    };

    /// <param name="isDropped">With the stages and their reasons.</param>
    public static List<TableColumn<ExportedRecord>> Columns(bool isDropped) =>
    [
        new TextColumn<ExportedRecord>("text", r => r.Text),
        new NumberColumn<ExportedRecord, long>("id", r => r.Id),
        new TextColumn<ExportedRecord>("source", r => r.Source),
        new TextColumn<ExportedRecord>("language", r => r.Language),
        new TextColumn<ExportedRecord>("licence", r => r.Licence),
        new TextColumn<ExportedRecord>("url", r => r.Url),
        new TextColumn<ExportedRecord>("date", r => r.Date),
        .. isDropped ? Drops() : [],
    ];

    private static IEnumerable<TableColumn<ExportedRecord>> Drops() =>
    [
        new TextColumn<ExportedRecord>("dropped", r => r.Dropped),
        new TextColumn<ExportedRecord>("why", r => r.Why),
    ];
}
