using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Reads .txt and .md.</summary>
internal static class PlainText
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var reader = CountingUtf8.Open(file, statistics);
        var line = 1L + (file.Part?.LinesBefore ?? 0);
        foreach (var document in Pieces(file, reader))
        {
            yield return document with { Line = line };
            line += document.Text.AsSpan().Count('\n');
        }
    }

    /// <summary>The pieces of a text as documents, numbered from the second on.</summary>
    public static IEnumerable<Document> Pieces(SourceFile file, TextReader reader)
    {
        var number = 0;
        var start = file.Part is { Number: > 0 } part ? $"{file.Name}:{part.LinesBefore + 1}" : file.Name;
        Digest? lineStart = null;
        foreach (var (text, isInLine) in TextPieces.Read(reader))
        {
            if (isInLine)
                lineStart ??= Digest.Of(Encoding.UTF8.GetBytes(text));
            var name = ++number == 1 ? start : $"{start}#{number}";
            yield return new Document(file.Name, name, text) { LineStart = lineStart, IsContinued = isInLine };
            if (!isInLine)
                lineStart = null;
        }
    }
}
