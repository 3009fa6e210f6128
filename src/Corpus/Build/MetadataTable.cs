using System.IO.Compression;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>
/// A row for each document that a build read, beside the shards of the corpus that was made of it: Parquet, in key order. The bytes follow
/// from text and corpus.
/// </summary>
public static class MetadataTable
{
    // A group is held whole while it is packed: one of 65,536 rows takes 60 MB more than all that comes before in a build.
    private const int RowsInGroup = 1 << 14;

    // As exports have it, where the smallest files take more than twenty times as long.
    private const CompressionLevel Level = CompressionLevel.Optimal;

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
        var temporary = DurableFile.TemporaryPath(path);
        try
        {
            await using (var table = await TableFile<Row>.CreateAsync(temporary, Columns(text.Report), new()
            {
                ["elastic.text"] = text.Report.Id,
                ["elastic.corpus"] = corpus.Id.Hex,
            }, Level, cancel))
            {
                foreach (var row in Rows(text, corpus, settings))
                {
                    cancel.ThrowIfCancellationRequested();
                    table.Add(row);
                    step?.Invoke("metadata");
                    if (table.Rows == rowsInGroup)
                        await table.EndGroupAsync(cancel);
                }
                await table.EndGroupAsync(cancel);
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

    private static List<TableColumn<Row>> Columns(BuildReport report) =>
    [
        new NumberColumn<Row, long>("id", r => r.Document.Id),
        new TextColumn<Row>("source", r => r.Document.Source),
        new TextColumn<Row>("url", r => r.Document.Url),
        new TextColumn<Row>("path", r => r.Document.Name),
        new NumberColumn<Row, long>("line", r => r.Document.Line),
        new TextColumn<Row>("language", r => r.Document.Language),
        new TextColumn<Row>("licence", r => r.Document.Licence),
        new NumberColumn<Row, int>("bytes", r => r.Document.Bytes),
        new NumberColumn<Row, long>("tokens", r => r.Tokens),
        new TextColumn<Row>("split", r => r.Document.Dropped is not null ? null : r.IsHeldOut ? "held-out" : PartOf(r.Document.Split)),
        new TextColumn<Row>("decision", r => r.Document.Dropped ?? "kept"),
        new TextColumn<Row>("why", r => r.Document.Why),
        new NumberColumn<Row, long>("match", r => r.Document.Match),
        new NumberColumn<Row, double>("similarity", r => r.Document.Similarity),
        new NumberColumn<Row, int>("cluster", r => r.Document.Cluster ?? 1),
        new NumberColumn<Row, int>("pieces", r => r.Document.Pieces),
        .. report.Signals.Select(name => new NumberColumn<Row, double>(
            name, r => r.Document.Signals.TryGetValue(name, out var value) ? value : null)),
    ];

    /// <summary>What a part is called where it is not a folder.</summary>
    internal static string PartOf(Split split) => split switch
    {
        Split.Validation => "validation",
        Split.Test => "test",
        _ => "train",
    };

    private sealed record Row(BuiltDocument Document, long? Tokens, bool IsHeldOut);
}
