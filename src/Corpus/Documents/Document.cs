using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A text that is read on its own.</summary>
/// <param name="Source">The source that it counts for, e.g. "Wikipedia (en)" or the file's name.</param>
/// <param name="Name">Its name for people, e.g. "System.Runtime.xml#System.String".</param>
/// <param name="Text">Never blank.</param>
public sealed record Document(string Source, string Name, string Text)
{
    /// <summary>
    /// For a piece of a line that is longer than a document, the digest of the first piece: it decides whether the line is held out, as a
    /// whole. Null for anything else.
    /// </summary>
    public Digest? LineStart { get; init; }

    /// <summary>The line of its file at which it begins, from 1; null for formats without lines.</summary>
    public long? Line { get; init; }

    /// <summary>What the model reads before the text and is not scored on; null for none.</summary>
    public string? Prompt { get; init; }

    /// <summary>A conversation, written down; the text is what is scored of it. Null for anything else.</summary>
    public IReadOnlyList<ChatPiece>? Pieces { get; init; }

    /// <summary>All that the model reads of it: the prompt and the text, or the conversation.</summary>
    internal string Whole => Pieces is null ? Prompt + Text : string.Concat(Pieces.Select(p => p.Text));

    /// <summary>Where it was on the web; null where that is not known.</summary>
    public string? Url { get; init; }

    /// <summary>When it was got from there or written, as the file says it; null where it says nothing.</summary>
    public string? Date { get; init; }

    /// <summary>The terms that it comes with; null where it says nothing.</summary>
    public string? Licence { get; init; }

    /// <summary>Its language as its file says it, see <see cref="Messages.Corpora.LanguageCode"/>; null where it says nothing.</summary>
    public string? Language { get; init; }

    /// <summary>
    /// What <see cref="RecordFields.Others"/> name of its record, as it is written there; null where nothing was asked for.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Fields { get; init; }

    /// <summary>The programming language of source code; null for anything else.</summary>
    public string? Code { get; init; }

    /// <summary>How it was stored, where that is another format than its file's: a page in a WARC file.</summary>
    public DocumentFormat? Format { get; init; }

    /// <summary>It is held out, whatever the share: it comes from <c>corpus.validation</c>.</summary>
    public bool IsValidation { get; init; }

    /// <summary>The next document goes on with the same line: no end-of-text comes between the two.</summary>
    public bool IsContinued { get; init; }
}

/// <summary>Documents that are tokenized together, about 1 MiB of text.</summary>
/// <param name="Sequence">0, 1, 2, … in reading order.</param>
public sealed record DocumentBatch(long Sequence, IReadOnlyList<Document> Documents);
