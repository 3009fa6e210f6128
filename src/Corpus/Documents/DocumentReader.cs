namespace Elastic.Corpus;

/// <summary>Reads the documents of a file, one after the other; never holds a whole file, except HTML.</summary>
public static class DocumentReader
{
    /// <summary>
    /// The documents of <paramref name="file"/> that have any text. Skips and counts what cannot be read.
    /// </summary>
    /// <exception cref="Elastic.Foundation.ElasticException">The file has no text column, or holds tokens.</exception>
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(statistics);
        return Counted(Documents(file, statistics), statistics);
    }

    private static IEnumerable<Document> Documents(SourceFile file, ReadStatistics statistics) => file.Format switch
    {
        DocumentFormat.Text => PlainText.Read(file, statistics),
        DocumentFormat.Xml => XmlFiles.Read(file, statistics),
        DocumentFormat.Html => HtmlFiles.Read(file, statistics),
        DocumentFormat.JsonLines or DocumentFormat.JsonLinesZstandard => JsonLines.Read(file, statistics),
        DocumentFormat.Parquet => ParquetFiles.Read(file, statistics),
        DocumentFormat.LlmcShard => throw new Foundation.ElasticException($"{file.Path} holds tokens, not text: build it with LlmcCorpus"),
        _ => throw new System.Diagnostics.UnreachableException($"unread format: {file.Format}"),
    };

    private static IEnumerable<Document> Counted(IEnumerable<Document> documents, ReadStatistics statistics)
    {
        foreach (var document in documents)
        {
            if (string.IsNullOrWhiteSpace(document.Text))
            {
                statistics.CountEmpty();
                continue;
            }
            statistics.Count(document);
            yield return document;
        }
    }
}
