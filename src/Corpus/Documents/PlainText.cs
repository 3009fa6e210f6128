namespace Elastic.Corpus;

/// <summary>Reads .txt and .md.</summary>
internal static class PlainText
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var reader = CountingUtf8.Open(file, statistics);
        foreach (var document in Pieces(file, reader))
            yield return document;
    }

    /// <summary>The pieces of a text as documents, numbered from the second on.</summary>
    public static IEnumerable<Document> Pieces(SourceFile file, TextReader reader) =>
        TextPieces.Read(reader).Select((text, i) => new Document(file.Name, i == 0 ? file.Name : $"{file.Name}#{i + 1}", text));
}
