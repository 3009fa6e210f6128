namespace Elastic.Corpus;

/// <summary>
/// Reads the documents of a file, one after the other. What is held whole at a time is a record, a page of HTML, a chapter of an EPUB, a
/// page of Parquet or a batch of Arrow, and not the file.
/// </summary>
public static class DocumentReader
{
    /// <summary>
    /// The documents of <paramref name="file"/> that have any text. Skips and counts what cannot be read.
    /// </summary>
    /// <exception cref="Elastic.Foundation.ElasticException">
    /// The file has no text column, holds tokens, is beyond a limit (<see cref="ReadLimits"/>), or has changed since the corpus was named.
    /// </exception>
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(statistics);
        return Counted(file, statistics);
    }

    /// <summary>The documents of a file or of a member of one, as they are.</summary>
    internal static IEnumerable<Document> Documents(SourceFile file, ReadStatistics statistics)
    {
        var documents = DocumentFormats.Of(file.Format).Documents(file, statistics);
        return file.Reading.PassesOverRejects ? Surviving(documents, file, statistics) : documents;
    }

    // A rejected file, or a rejected member of one, costs what is left of it.
    private static IEnumerable<Document> Surviving(IEnumerable<Document> documents, SourceFile file, ReadStatistics statistics)
    {
        using var reading = documents.GetEnumerator();
        while (true)
        {
            try
            {
                if (!reading.MoveNext())
                    yield break;
            }
            catch (RejectedFileException e)
            {
                statistics.CountMalformed(file, 0, e.Message, file.Length);
                yield break;
            }
            yield return reading.Current;
        }
    }

    private static IEnumerable<Document> Counted(SourceFile file, ReadStatistics statistics)
    {
        foreach (var document in Documents(file, statistics))
        {
            // The last piece of a long line may be blank, and still ends it.
            if (document.LineStart is null && string.IsNullOrWhiteSpace(document.Text))
            {
                statistics.CountEmpty();
                continue;
            }
            if (file.Reading.Blocks?.Blocks(document.Url) == true)
            {
                statistics.CountUnread(file, $"{document.Name}: {Foundation.OneLine.Of(document.Url!, 200)} is in a block list");
                continue;
            }
            statistics.Count(document);
            yield return file.IsValidation ? document with { IsValidation = true } : document;
        }
        // Whoever cut the file into parts looks at it once, behind all of them.
        if (file is { Content: not null, Part: null })
            file.CheckUnchanged(file.Hash());
    }
}
