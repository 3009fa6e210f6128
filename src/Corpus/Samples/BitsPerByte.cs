namespace Elastic.Corpus;

/// <summary>A loss that can be compared across tokenizers.</summary>
public static class BitsPerByte
{
    /// <summary>
    /// Bits per UTF-8 byte of text: <c>loss * tokens / (bytes * ln 2)</c> (Gao et al. 2020, "The Pile", section 3.1).
    /// </summary>
    /// <param name="lossNatsPerToken">Mean cross-entropy, nats per token.</param>
    /// <param name="tokens">Tokens of the text.</param>
    /// <param name="bytes">UTF-8 bytes of the same text.</param>
    public static double Of(double lossNatsPerToken, long tokens, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        return lossNatsPerToken * tokens / (bytes * Math.Log(2));
    }
}
