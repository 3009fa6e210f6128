using System.Diagnostics;
using System.Text.RegularExpressions;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>How a file stores documents. Each has its line in <see cref="DocumentFormats"/>.</summary>
public enum DocumentFormat
{
    /// <summary>.txt, .md: plain text, cut at blank lines where it is long.</summary>
    Text,

    /// <summary>.xml: .NET reference documentation, or any XML for its text.</summary>
    Xml,

    /// <summary>.html, .htm.</summary>
    Html,

    /// <summary>.jsonl, and .json of that content: one JSON object a line, with a field <c>text</c>.</summary>
    JsonLines,

    /// <summary>.tsv: a prompt, a tab and its answer a line.</summary>
    TabSeparated,

    /// <summary>.parquet: a column <c>text</c>.</summary>
    Parquet,

    /// <summary>.bin: GPT-2 tokens in the format of llm.c, which need no reading and no tokenizing.</summary>
    LlmcShard,

    /// <summary>.warc: what a crawler of the web got.</summary>
    Warc,

    /// <summary>.tar: files of any of these formats.</summary>
    Tar,

    /// <summary>.zip: the same.</summary>
    Zip,

    /// <summary>.epub: books, a document for each part.</summary>
    Epub,

    /// <summary>.csv: a column <c>text</c>.</summary>
    Csv,

    /// <summary>.arrow: a column <c>text</c>.</summary>
    Arrow,

    /// <summary>.py, .c and so on: programs.</summary>
    SourceCode,
}

/// <summary>One file of a corpus.</summary>
/// <param name="Path">Its path on this machine.</param>
/// <param name="Name">Its path inside the source, with '/'; the same on every machine.</param>
/// <param name="Format">How it stores documents.</param>
public sealed partial record SourceFile(string Path, string Name, DocumentFormat Format)
{
    /// <summary>A copy of its bytes, made and checked by this program, that is read in its place; messages name the file.</summary>
    public string? Copy { get; init; }

    /// <summary>How the file is compressed, where it is.</summary>
    public Packing Packing { get; init; }

    /// <summary>What settings say of how it is read.</summary>
    public Reading Reading { get; init; } = Reading.Default;

    /// <summary>All of it is held out: <c>corpus.validation</c> names it.</summary>
    public bool IsValidation { get; init; }

    /// <summary>The digest of its bytes when the corpus was named after them; null where nobody has asked.</summary>
    public Digest? Content { get; init; }

    /// <summary>Its state when its bytes began to be read for that; null where nobody has asked.</summary>
    public FileState? State { get; init; }

    /// <summary>The part of it that is meant; null for all of it.</summary>
    public FilePart? Part { get; init; }

    /// <summary>The terms in the file LICENSE that is the nearest above a file of source code; null where there is none.</summary>
    public string? Licence { get; init; }

    /// <summary>Ends the reading of its bytes: looked at with each read, however large a record or a file is.</summary>
    public CancellationToken Cancel { get; init; }

    /// <summary>The bytes, where they are a part of another file; null for a file of its own.</summary>
    internal MemberBytes? Member { get; init; }

    /// <summary>
    /// How messages name it. What is passed over is named in a list that belongs to the corpus, which is the same one on every machine;
    /// an error is read on this one.
    /// </summary>
    internal string Shown => Reading.PassesOverRejects ? Name : Path;

    /// <summary>The setting by which a person leaves it out: for messages.</summary>
    internal string LeftOutBy
    {
        get => field ?? $"corpus.exclude = [\"{Name}\"]";
        init;
    }

    /// <summary>The file that the reports name: the one on the disk that this one is a part of.</summary>
    internal string OuterName => Member?.OuterName ?? Name;

    /// <summary>Bytes of the file, of its target where it is a link; 0 for a pipe, a socket or a device.</summary>
    public long Length
    {
        get
        {
            if (Member is not null)
                return Member.Length;
            try
            {
                return (new FileInfo(Copy ?? Path) is { LinkTarget: not null } link
                    ? (FileInfo)link.ResolveLinkTarget(returnFinalTarget: true)!
                    : new FileInfo(Copy ?? Path)).Length;
            }
            catch (Exception e) when (Copy is null && (e is IOException or UnauthorizedAccessException))
            {
                throw Unreadable(e);
            }
        }
    }

    /// <summary>The digest of its bytes now.</summary>
    /// <exception cref="ElasticException">The file is gone or may not be read.</exception>
    internal Digest Hash()
    {
        using var stream = OpenRead();
        return Digest.Of(stream);
    }

    /// <summary>The corpus is named after what the files were: refuses one that is something else now.</summary>
    /// <exception cref="ElasticException">The file has changed.</exception>
    internal void CheckUnchanged(Digest now)
    {
        if (Content is { } content && content != now)
            throw Changed();
    }

    private ChangedFileException Changed() =>
        new($"corpus file {Shown} changed while it was read: give the same command again when nothing writes to it any more");

    /// <summary>
    /// Refuses a part of a file that was written to since the corpus was named after it: nobody looks at a part's bytes by themselves.
    /// What another machine describes has no state, and is read of bytes that were checked.
    /// </summary>
    /// <exception cref="ElasticException">The file has changed.</exception>
    internal void CheckPartUnchanged()
    {
        if (Part is not null && State is not null && FileState.Of(Path) != State)
            throw Changed();
    }

    /// <summary>Opens the file for one pass. What has no bytes is never opened: a pipe would wait for a writer for ever.</summary>
    /// <exception cref="ElasticException">The file is gone or may not be read.</exception>
    internal Stream OpenRead()
    {
        if (Length == 0)
            return new MemoryStream([], writable: false);
        if (Member is not null)
            return Guarded(Member.OpenRead());
        try
        {
            return Guarded(new FileStream(
                Copy ?? Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan));
        }
        catch (Exception e) when (Copy is null && (e is IOException or UnauthorizedAccessException))
        {
            throw Unreadable(e);
        }
    }

    /// <summary>The bytes of the file, whose failures name it, until <see cref="Cancel"/>.</summary>
    /// <param name="bytes">As the operating system gives them.</param>
    internal Stream Guarded(Stream bytes) => new SourceStream(bytes, e => new ElasticException(NotRead(e), e), Cancel);

    private RejectedFileException Unreadable(Exception e) => new(NotRead(e), e);

    private string NotRead(Exception e) =>
        $"corpus file {Shown} cannot be read ({(Reading.PassesOverRejects ? WithoutPath(e) : e.Message)}): mend that, or leave it out "
        + $"(corpus.exclude = [\"{Name}\"])";

    /// <summary>What the operating system says, without the path: "Access to the path is denied."</summary>
    internal static string WithoutPath(Exception e) => QuotedPath().Replace(e.Message, "");

    // .NET puts paths between single quotes, at the end behind a colon.
    [GeneratedRegex(" ?:? '.*'", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex QuotedPath();
}

/// <summary>A file has other bytes than when the corpus was named after it.</summary>
internal sealed class ChangedFileException(string message) : ElasticException(message);

/// <summary>How documents are found in a file, as far as that can be set.</summary>
/// <param name="TextField">See <c>corpus.text-field</c>.</param>
/// <param name="Encoding">See <c>corpus.encoding</c>.</param>
public sealed record Reading(string TextField, string Encoding)
{
    /// <summary>See <c>corpus.answer-field</c>; null where all text is scored.</summary>
    public string? AnswerField { get; init; }

    /// <summary>See <c>corpus.chat-template</c>; null where records are no conversations.</summary>
    public ChatFormat? Chat { get; init; }

    /// <summary>What a corpus of conversations is named after: the template's name, or what a tokenizer's template says.</summary>
    internal string? ChatName { get; init; }

    /// <summary>Patterns of the members of an archive that are read; empty for all.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Patterns of the members of an archive that are not read.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>What is not wanted; null for nothing.</summary>
    public BlockList? Blocks { get; init; }

    /// <summary>What is kept of a record besides its text; null for what corpora always kept, before there were builds.</summary>
    public RecordFields? Fields { get; init; }

    /// <summary>Bytes of the longest record that is read.</summary>
    public int LongestRecord { get; init; } = ReadLimits.LineBytes;

    /// <summary>
    /// A build has written the file, of documents that it let in: what bounds the files of others does not hold. It decides whether the
    /// file can be read, and not what comes of it.
    /// </summary>
    public bool IsBuilt { get; init; }

    /// <summary>Bytes of a record that is read at most: one array holds it.</summary>
    internal int MostOfRecord => IsBuilt ? Array.MaxLength : LongestRecord;

    /// <summary>
    /// What is beyond a limit, or damaged as a whole, is counted and left out; otherwise it ends the reading with an error. See
    /// <c>source.on-reject</c>.
    /// </summary>
    public bool PassesOverRejects { get; init; }

    /// <summary>Reads of HTML the title and the main text only.</summary>
    public bool MainText { get; init; }

    /// <summary>As corpora were read before there were settings.</summary>
    public static Reading Default { get; } = new("text", "utf-8");

    /// <summary>The encoding; null for UTF-8, which Elastic decodes itself.</summary>
    internal System.Text.Encoding? TextEncoding => Encoding == Default.Encoding ? null
        : TextEncodings.TryFind(Encoding == "latin-1" ? "iso-8859-1" : Encoding)
            ?? throw new UnreachableException($"the settings allow the encoding {Encoding}, which is none here");
}
