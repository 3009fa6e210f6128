using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>The digest of one inner step's samples.</summary>
public static class SampleDigests
{
    /// <param name="tokens">(blocks, T + 1) row-major.</param>
    public static Digest Of(ReadOnlySpan<long> blocks, ReadOnlySpan<int> tokens)
    {
        using var digest = new SampleDigest();
        var row = tokens.Length / blocks.Length;
        for (var i = 0; i < blocks.Length; i++)
            digest.Append(blocks[i], tokens.Slice(i * row, row));
        return digest.Finish();
    }
}
