using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>How documents become tokens, as one machine says it to others that are to make some of them.</summary>
/// <param name="Tokenizer">Opened.</param>
/// <param name="HeldOut">See <see cref="CorpusSettings.HeldOutShare"/>.</param>
/// <param name="MarksWords">See <see cref="CorpusSettings.WholeWords"/>.</param>
public sealed record TokenPlan(Tokenizer Tokenizer, double HeldOut, bool MarksWords)
{
    /// <summary>Bytes of a plan, at most: a tokenizer's file in base64, and a few more.</summary>
    public const int MostBytes = FileTokenizer.LargestFile / 3 * 4 + (1 << 16);

    /// <summary>As it travels.</summary>
    public byte[] Write()
    {
        var file = (Tokenizer as FileTokenizer)?.Source;
        return PieceLines.Of(new Text(Tokenizer.Id, HeldOut, MarksWords, file?.Json, file?.EndOfText));
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    /// <exception cref="ElasticException">It is no plan, or the tokenizer is another one here.</exception>
    public static TokenPlan Read(ReadOnlySpan<byte> bytes)
    {
        var text = PieceLines.Read<Text>(bytes, "a tokenizer that was sent");
        var tokenizer = text.File is { } file
            ? FileTokenizer.Open(new TokenizerFile(file, text.EndOfText ?? -1, TokenizerFile.FileName)) : Tokenizer.Open(text.Tokenizer);
        return tokenizer.Id == text.Tokenizer ? new TokenPlan(tokenizer, text.HeldOut, text.MarksWords) : throw new ElasticException(
            $"the tokenizer {OneLine.Of(text.Tokenizer, 80)} is {tokenizer.Id} here: give all nodes the same version of Elastic");
    }

    /// <summary>The tokens of some documents: they follow from the documents and the plan alone.</summary>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public TokenizedBatch Tokenize(DocumentBatch batch, CancellationToken cancel = default) =>
        BatchTokenizer.Tokenize(Tokenizer, batch, HeldOut, MarksWords, cancel);

    private sealed record Text(string Tokenizer, double HeldOut, bool MarksWords, byte[]? File = null, int? EndOfText = null);
}
