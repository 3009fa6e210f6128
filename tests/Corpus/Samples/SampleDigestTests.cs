using System.Security.Cryptography;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

public class SampleDigestTests
{
    [Fact]
    public void It_is_the_SHA256_of_block_and_tokens_in_little_endian()
    {
        byte[] bytes = [2, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x50, 0xC3, 0, 0];
        using var digest = new SampleDigest();
        digest.Append(258, [5, 50_000]);
        Assert.Equal(new Digest(Convert.ToHexStringLower(SHA256.HashData(bytes))), digest.Finish());
    }

    [Fact]
    public void Order_matters()
    {
        Assert.NotEqual(Of((1, [3]), (2, [4])), Of((2, [4]), (1, [3])));
        Assert.NotEqual(Of((1, [3, 4])), Of((1, [4, 3])));
    }

    [Fact]
    public void Finishing_begins_a_new_one()
    {
        using var digest = new SampleDigest();
        digest.Append(9, [9]);
        digest.Finish();
        digest.Append(1, [3]);
        Assert.Equal(Of((1, [3])), digest.Finish());
    }

    private static Digest Of(params (long Block, int[] Tokens)[] samples)
    {
        using var digest = new SampleDigest();
        foreach (var (block, tokens) in samples)
            digest.Append(block, tokens);
        return digest.Finish();
    }
}
