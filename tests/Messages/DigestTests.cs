using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Messages.Tests;

public sealed class DigestTests
{
    [Theory]                                                             // FIPS 180-4 test vectors
    [InlineData("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    public void A_digest_is_the_SHA_256_in_lower_case_hex(string text, string hex)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        Assert.Equal(hex, Digest.Of(bytes).Hex);
        Assert.Equal(hex, Digest.Of(bytes).ToString());
        Assert.Equal(hex[..12], Digest.Of(bytes).Short);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var b in bytes)
            hash.AppendData([b]);
        Assert.Equal(hex, Digest.Of(hash).Hex);
    }

    [Fact]
    public void Taking_the_hash_resets_it()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("abc"u8);
        Digest.Of(hash);
        Assert.Equal(Digest.Of([]), Digest.Of(hash));
    }

    [Fact]
    public void What_is_too_short_to_shorten_stays() => Assert.Equal("abc", new Digest("abc").Short);
}
