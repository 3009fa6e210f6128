namespace Elastic.Corpus;

/// <summary>Reads the documents of a file, one after the other; never holds a whole file, except HTML.</summary>
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

    private static IEnumerable<Document> Documents(SourceFile file, ReadStatistics statistics) => file.Format switch
    {
        DocumentFormat.Text => PlainText.Read(file, statistics),
        DocumentFormat.Xml => XmlFiles.Read(file, statistics),
        DocumentFormat.Html => HtmlFiles.Read(file, statistics),
        DocumentFormat.JsonLines or DocumentFormat.JsonLinesGzip or DocumentFormat.JsonLinesZstandard => JsonLines.Read(file, statistics),
        DocumentFormat.TabSeparated => TabSeparated.Read(file, statistics),
        DocumentFormat.Parquet => ParquetFiles.Read(file, statistics),
        DocumentFormat.LlmcShard => throw new Foundation.ElasticException($"{file.Path} holds tokens, not text: build it with LlmcCorpus"),
        _ => throw new System.Diagnostics.UnreachableException($"unread format: {file.Format}"),
    };

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
            statistics.Count(document);
            yield return file.IsValidation ? document with { IsValidation = true } : document;
        }
        if (file.Content is not null)
            file.CheckUnchanged(file.Hash());
    }
}
