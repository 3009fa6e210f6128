namespace Elastic.Corpus.Build;

/// <summary>What is known of a document besides its text, whatever becomes of it.</summary>
/// <param name="Source">The source's name.</param>
/// <param name="Name">Its name for people, e.g. "books.jsonl:17".</param>
/// <param name="Format">How its file stores documents.</param>
public sealed record DocumentFacts(string Source, string Name, DocumentFormat Format)
{
    /// <summary>Under which terms it is published, as its file or the manifest says; null where they say nothing.</summary>
    public string? Licence { get; init; }

    /// <summary>The part of the source that it counts for, e.g. "Pile-CC"; null for none.</summary>
    public string? Subset { get; init; }

    /// <summary>Where it was on the web; null where that is not known.</summary>
    public string? Url { get; init; }

    /// <summary>The line of its file at which it begins, from 1; null for formats without lines.</summary>
    public long? Line { get; init; }

    /// <summary>When it was got from there or written, as its file says it; null where it says nothing.</summary>
    public string? Date { get; init; }

    /// <summary>The programming language of source code, e.g. "Python"; null for anything else.</summary>
    public string? Code { get; init; }

    /// <summary>Its language, a code of ISO 639-1; null where it is not known.</summary>
    public string? Language { get; init; }
}

/// <summary>A document on its way through the stages that read it.</summary>
public sealed class Draft(DocumentFacts facts, string text)
{
    /// <summary>A stage that finds something out puts it here.</summary>
    public DocumentFacts Facts { get; set; } = facts;

    /// <summary>The text as the stages before have left it. Where nothing is left, the document is dropped.</summary>
    public string Text { get; set; } = text;

    /// <summary>What <see cref="BuildManifest.Fields"/> name of the document's record; null where nothing was asked for.</summary>
    public IReadOnlyDictionary<string, string>? Fields { get; init; }

    /// <summary>
    /// Ends the build: to be looked at between pieces of a text, lines for example, by whatever takes long. The document may be hundreds of
    /// MB.
    /// </summary>
    public CancellationToken Cancel { get; init; }
}
