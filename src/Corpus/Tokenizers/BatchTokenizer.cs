using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Corpora;

namespace Elastic.Corpus;

/// <summary>A tokenized document, ready for a shard.</summary>
/// <param name="Tokens">Its tokens (<see cref="SampleElement"/>), end-of-text last, unless the next document goes on with the same
/// line: then there may be none at all.</param>
/// <param name="ByteCount">UTF-8 bytes of its text that is scored.</param>
/// <param name="Source">The source that it counts for.</param>
/// <param name="IsHeldOut">Kept from training.</param>
public sealed record TokenizedDocument(ReadOnlyMemory<int> Tokens, int ByteCount, string Source, bool IsHeldOut)
{
    /// <inheritdoc cref="Document.Language"/>
    public string? Language { get; init; }

    /// <summary>How many of the tokens are not scored: those of its prompt, or of what others than the assistant say.</summary>
    public int Uncounted { get; init; }
}

/// <summary>A <see cref="DocumentBatch"/> as tokens.</summary>
public sealed record TokenizedBatch(long Sequence, IReadOnlyList<TokenizedDocument> Documents);

/// <summary>The part of a corpus build that runs on many threads: its result depends only on its arguments.</summary>
public static class BatchTokenizer
{
    /// <param name="heldOut">Share of the documents kept from training, 0 to 1.</param>
    /// <param name="marksWords">Says of each token whether it goes on with a word: see <see cref="Tokenizer.Continues"/>.</param>
    /// <param name="cancel">Looked at within each document.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static TokenizedBatch Tokenize(
        Tokenizer tokenizer, DocumentBatch batch, double heldOut, bool marksWords = false, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(batch);
        var documents = new TokenizedDocument[batch.Documents.Count];
        var tokens = new List<int>();
        for (var i = 0; i < documents.Length; i++)
            documents[i] = Tokenize(tokenizer, batch.Documents[i], heldOut, marksWords, tokens, cancel);
        return new TokenizedBatch(batch.Sequence, documents);
    }

    /// <summary>The elements of a document (<see cref="SampleElement"/>) as a corpus has them, its end of text last.</summary>
    /// <param name="into">Takes them at its end.</param>
    public static void Encode(Tokenizer tokenizer, Document document, List<int> into, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(document);
        ArgumentNullException.ThrowIfNull(into);
        if (document.Pieces is { } pieces)
        {
            Encode(tokenizer, pieces, into);
            return;
        }
        var before = into.Count;
        if (document.Prompt is { } prompt)
            tokenizer.Encode(prompt, into, cancel);
        MarkNotCounted(into, before);
        tokenizer.Encode(document.Text, into, cancel);
        if (!document.IsContinued)
            into.Add(tokenizer.EndOfText);
    }

    /// <summary>True when a document is kept from training: depends on its content alone, not on order or other documents.</summary>
    internal static bool IsHeldOut(Digest content, double share) => LotOf(content) < share;

    /// <summary>53 bits of a digest as a number in [0, 1).</summary>
    internal static double LotOf(Digest content)
    {
        Span<byte> hash = stackalloc byte[Digest.Length];
        Convert.FromHexString(content.Hex, hash, out _, out _);
        return (BinaryPrimitives.ReadUInt64BigEndian(hash) >> 11) * double.Exp2(-53);
    }

    /// <summary>
    /// True when a document is kept from training: it is validation text, or its lot falls on it, which depends on all that the model reads
    /// of it.
    /// </summary>
    internal static bool IsHeldOut(Document document, double share) => document.IsValidation
        || (share > 0 && IsHeldOut(document.LineStart ?? Digest.Of(Encoding.UTF8.GetBytes(document.Whole)), share));

    private static TokenizedDocument Tokenize(
        Tokenizer tokenizer, Document document, double heldOut, bool marksWords, List<int> tokens,
        CancellationToken cancel)
    {
        tokens.Clear();
        Encode(tokenizer, document, tokens, cancel);
        if (marksWords)
            foreach (ref var token in CollectionsMarshal.AsSpan(tokens))
                token |= tokenizer.Continues(SampleElement.TokenOf(token)) ? SampleElement.Continues : 0;
        var uncounted = tokens.Count(t => (t & SampleElement.NotCounted) != 0);
        var bytes = Encoding.UTF8.GetByteCount(document.Text);
        return new TokenizedDocument(tokens.ToArray(), bytes, document.Source, IsHeldOut(document, heldOut))
        {
            Uncounted = uncounted,
            Language = document.Language,
        };
    }

    // An end of text ends the record, as any document. It is scored only where it is what ends an answer, too.
    private static void Encode(Tokenizer tokenizer, IReadOnlyList<ChatPiece> pieces, List<int> into)
    {
        foreach (var piece in pieces)
        {
            var before = into.Count;
            piece.Encode(tokenizer, into);
            if (!piece.IsCounted)
                MarkNotCounted(into, before);
        }
        if (pieces[^1].Kind != ChatPieceKind.EndOfText)
            into.Add(tokenizer.EndOfText | SampleElement.NotCounted);
    }

    private static void MarkNotCounted(List<int> tokens, int from)
    {
        foreach (ref var token in CollectionsMarshal.AsSpan(tokens)[from..])
            token |= SampleElement.NotCounted;
    }
}
