using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>How a file stores documents.</summary>
public enum DocumentFormat
{
    /// <summary>.txt, .md: plain text, cut at blank lines where it is long.</summary>
    Text,

    /// <summary>.xml: .NET reference documentation, or any XML for its text.</summary>
    Xml,

    /// <summary>.html, .htm.</summary>
    Html,

    /// <summary>.jsonl: one JSON object a line, with a field <c>text</c>.</summary>
    JsonLines,

    /// <summary>.jsonl.zst: the same, compressed with Zstandard.</summary>
    JsonLinesZstandard,

    /// <summary>.parquet: a column <c>text</c>.</summary>
    Parquet,

    /// <summary>.bin: GPT-2 tokens in the format of llm.c, which need no reading and no tokenizing.</summary>
    LlmcShard,
}

/// <summary>One file of a corpus.</summary>
/// <param name="Path">Its path on this machine.</param>
/// <param name="Name">Its path inside the source, with '/'; the same on every machine.</param>
/// <param name="Format">How it stores documents.</param>
public sealed record SourceFile(string Path, string Name, DocumentFormat Format)
{
    /// <summary>Opens the file for one pass.</summary>
    /// <exception cref="ElasticException">The file is gone or may not be read.</exception>
    internal FileStream OpenRead()
    {
        try
        {
            return new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"corpus file {Path} cannot be read ({e.Message}): mend that, or take it out of corpus.sources", e);
        }
    }
}
