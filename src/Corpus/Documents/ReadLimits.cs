using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// What one file may ask of the reader. A file beyond a limit stops the build, because a corpus that lacked it without anybody's word would
/// be another corpus; <c>corpus.exclude</c> leaves it out on purpose. None of these limits is reached by the text of people.
/// </summary>
internal static class ReadLimits
{
    /// <summary>Bytes of a line of .jsonl or .tsv: one record, which is held in memory several times over (bytes, text, tokens).</summary>
    public const int LineBytes = 64 << 20;

    /// <summary>Bytes of an HTML page, which is held whole together with its tree of up to 150 times that.</summary>
    public const int PageBytes = 16 << 20;

    /// <summary>Characters of a tag of XML, of a page of reference documentation.</summary>
    public const int TokenCharacters = 64 << 20;

    /// <summary>
    /// How many times its size a compressed file may become. Text shrinks to a third, repetitive logs to a hundredth; a file made to fill
    /// memory or disk grows 30,000-fold. Small files are not asked: see <see cref="ExpansionFrom"/>.
    /// </summary>
    public const int Expansion = 1000;

    /// <summary>Bytes that a compressed file may always become.</summary>
    public const long ExpansionFrom = 64 << 20;

    /// <summary>What a file of that many bytes may become.</summary>
    public static long MostUnpacked(long packed) => Math.Max(ExpansionFrom, Expansion * packed);

    /// <summary>Bytes of a block of a WARC record, which is held whole: larger ones are passed over.</summary>
    public const int RecordBytes = 64 << 20;

    /// <summary>Bytes of the head of a WARC record, or of the message in it.</summary>
    public const int HeadBytes = 64 << 10;

    /// <summary>
    /// How long the parser may take for a page, and for each MiB of it: a hundred times what real pages take on a machine that is ten times
    /// overloaded. A page beyond it is not left out: the reading ends, because another machine may be in time.
    /// </summary>
    public static readonly TimeSpan TimePerMiB = TimeSpan.FromSeconds(60);

    /// <param name="file">The file beyond the limit.</param>
    /// <param name="what">What it does, after its name: "nests elements more than 4096 deep".</param>
    public static RejectedFileException Exceeded(SourceFile file, string what) =>
        new($"{file.Shown} {what}: mend the file, or leave it out (corpus.exclude = [\"{file.Name}\"])");
}

/// <summary>A file that is beyond a limit or damaged as a whole: it ends the reading, unless the source says to go on.</summary>
internal sealed class RejectedFileException : ElasticException
{
    public RejectedFileException(string message) : base(message) { }

    public RejectedFileException(string message, Exception inner) : base(message, inner) { }
}
