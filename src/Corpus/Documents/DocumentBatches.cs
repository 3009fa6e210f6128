namespace Elastic.Corpus;

/// <summary>Groups documents into batches for the tokenizers. The grouping does not depend on the number of tokenizers.</summary>
public static class DocumentBatches
{
    /// <summary>UTF-16 units after which a batch for this process's tokenizers is closed.</summary>
    public const int TargetCharacters = 1 << 20;

    /// <exception cref="OperationCanceledException">Cancelled between two documents.</exception>
    public static IEnumerable<DocumentBatch> Read(
        IReadOnlyList<SourceFile> files, ReadStatistics statistics, CancellationToken cancellationToken) =>
        Read(files, statistics, TargetCharacters, inTurn: false, cancellationToken);

    /// <param name="characters">UTF-16 units after which a batch is closed: the order of the documents does not depend on it.</param>
    /// <param name="inTurn">All sources are read at once (<see cref="ReadingTurns"/>), instead of one file after the other.</param>
    /// <exception cref="OperationCanceledException">Cancelled between two documents.</exception>
    public static IEnumerable<DocumentBatch> Read(
        IReadOnlyList<SourceFile> files, ReadStatistics statistics, int characters, bool inTurn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(statistics);
        // Also in the middle of a document.
        files = [.. files.Select(f => f with { Cancel = cancellationToken })];
        return Grouped(
            inTurn ? ReadingTurns.Read(files, statistics) : files.SelectMany(f => DocumentReader.Read(f, statistics)), characters,
            cancellationToken);
    }

    private static IEnumerable<DocumentBatch> Grouped(IEnumerable<Document> documents, int most, CancellationToken cancellationToken)
    {
        var (sequence, characters, batch) = (0L, 0, new List<Document>());
        foreach (var document in documents)
        {
            cancellationToken.ThrowIfCancellationRequested();
            batch.Add(document);
            characters += document.Whole.Length;
            if (characters < most)
                continue;
            yield return new DocumentBatch(sequence++, batch);
            (characters, batch) = (0, []);
        }
        if (batch.Count > 0)
            yield return new DocumentBatch(sequence, batch);
    }
}
