using Elastic.Corpus;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

/// <summary>The digest of one inner step's samples.</summary>
internal static class SampleDigests
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
