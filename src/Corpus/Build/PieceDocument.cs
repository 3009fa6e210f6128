using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>A document as a piece has it: everything but the text, and where that is.</summary>
/// <param name="Facts">What is known of it.</param>
/// <param name="Bytes">UTF-8 bytes of its text after all stages; 0 where nothing is left.</param>
/// <param name="Frame">The compressed frame with its text: where it begins in the piece's file.</param>
/// <param name="At">Where the text begins in the unpacked frame.</param>
/// <param name="Signals">Signals of each stage, in the order of the manifest; null for a stage that does not apply to the document.</param>
/// <param name="Sketches">Sketch of each stage; null for a stage that compares no documents.</param>
public sealed record PieceDocument(
    DocumentFacts Facts, int Bytes, long Frame, int At, IReadOnlyList<double[]?> Signals, IReadOnlyList<byte[]?> Sketches)
{
    /// <summary>A number in [0, 1) that follows from the text alone: which part of the corpus it belongs to is drawn by it.</summary>
    public double Lot { get; init; }

    /// <summary>The manifest takes it down: nothing but its facts was kept.</summary>
    public bool TakenDown { get; init; }

    /// <summary>
    /// Bytes of the longest frame, unpacked, that is known up to this document: the last one of a frame ends with it.
    /// </summary>
    /// <param name="longest">The same of those before it.</param>
    internal int LongerFrame(int longest) => Bytes <= 0 ? longest
        : (int)Math.Clamp((long)At + Bytes, longest, Array.MaxLength);
}

/// <summary>What reading a piece found besides documents.</summary>
/// <param name="Documents">Documents read.</param>
/// <param name="BytesRead">UTF-8 bytes of their text before the stages.</param>
/// <param name="Empty">Documents without text, skipped.</param>
/// <param name="InvalidUtf8Sequences">Replaced by U+FFFD.</param>
/// <param name="Malformed">Records that could not be read.</param>
/// <param name="LostBytes">Bytes of these, as far as that is known.</param>
/// <param name="Unread">Left out on purpose: pictures in an archive, pages that were stored before, blocked URLs.</param>
/// <param name="Rejects">The first of the malformed.</param>
/// <param name="Passed">The first of the unread, a line each.</param>
public sealed record PieceSummary(
    long Documents, long BytesRead, long Empty, long InvalidUtf8Sequences, long Malformed, long LostBytes, long Unread,
    IReadOnlyList<Reject> Rejects, IReadOnlyList<string> Passed)
{
    /// <summary>Documents that the manifest takes down.</summary>
    public long TakenDown { get; init; }

    /// <inheritdoc cref="ReadStatistics.WithoutUrl"/>
    public long WithoutUrl { get; init; }

    /// <summary>The summary of nothing.</summary>
    public static PieceSummary None { get; } = new(0, 0, 0, 0, 0, 0, 0, [], []);

    /// <summary>The summary of both, one behind the other: what one reading of both would have found.</summary>
    public PieceSummary Then(PieceSummary next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return new PieceSummary(
            Documents + next.Documents, BytesRead + next.BytesRead, Empty + next.Empty, InvalidUtf8Sequences + next.InvalidUtf8Sequences,
            Malformed + next.Malformed, LostBytes + next.LostBytes, Unread + next.Unread,
            [.. Rejects.Concat(next.Rejects).Take(ReadStatistics.MalformedKept)],
            [.. Passed.Concat(next.Passed).Take(ReadStatistics.MalformedKept)])
        { TakenDown = TakenDown + next.TakenDown, WithoutUrl = WithoutUrl + next.WithoutUrl };
    }

    /// <summary>What was not read, a line each, and how many more there are.</summary>
    public IEnumerable<string> Lines()
    {
        var listed = Rejects.Sum(r => r.Records);
        return Rejects.Select(r => r.Line)
            .Concat(Malformed > listed ? [$"and {Malformed - listed} more that cannot be read"] : [])
            .Concat(Passed)
            .Concat(Unread > Passed.Count ? [$"and {Unread - Passed.Count} more that hold no text or are not wanted"] : []);
    }

    internal static PieceSummary Of(ReadStatistics statistics) => new(
        statistics.Documents, statistics.Bytes, statistics.EmptyDocuments, statistics.InvalidUtf8Sequences, statistics.MalformedRecords,
        statistics.LostBytes, statistics.UnreadRecords, [.. statistics.Malformed.Select(m => new Reject(m.ToString(), m.Records))],
        [.. statistics.Unread.Select(u => u.ToString())])
    { WithoutUrl = statistics.WithoutUrl };
}

/// <summary>What could not be read.</summary>
/// <param name="Line">Where, and why.</param>
/// <param name="Records">How many records that is.</param>
public sealed record Reject(string Line, long Records);

/// <summary>The lines of a piece's file of documents: a document each, and the summary last.</summary>
internal static class PieceLines
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        NumberHandling = JsonNumberHandling.Strict,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    // As it is, and not six bytes for each character outside of ASCII: only programs read these lines, none of them in a page.
    private static readonly JsonSerializerOptions Plain = new(Json) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Of<T>(T line) => JsonSerializer.SerializeToUtf8Bytes(line, Json);

    /// <summary>A line of a built text: letters of any script stand in it as they are.</summary>
    public static byte[] OfText<T>(T line) => JsonSerializer.SerializeToUtf8Bytes(line, Plain);

    /// <summary>All lines, and of each whether it is the last one.</summary>
    /// <inheritdoc cref="ZstdLines.Read"/>
    public static IEnumerable<(byte[] Line, bool IsLast)> Lines(
        string path, int mostBytes, Func<string, Exception> damaged, CancellationToken cancel)
    {
        byte[]? before = null;
        foreach (var line in ZstdLines.Read(path, mostBytes, damaged, cancel))
        {
            if (before is not null)
                yield return (before, false);
            before = line;
        }
        yield return (before ?? throw damaged("it is empty"), true);
    }

    /// <exception cref="JsonException">The line is damaged.</exception>
    public static T Parse<T>(ReadOnlySpan<byte> line) => JsonSerializer.Deserialize<T>(line, Json) ?? throw new JsonException("it is null");

    /// <exception cref="ElasticException">The line is damaged.</exception>
    public static T Read<T>(ReadOnlySpan<byte> line, string path)
    {
        try
        {
            return Parse<T>(line);
        }
        catch (JsonException e)
        {
            throw new ElasticException($"{path} is damaged ({OneLine.Of(e.Message)}): delete it and give the same command again", e);
        }
    }
}
