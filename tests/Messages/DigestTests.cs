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

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("../secret")]
    [InlineData("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85")]
    public void What_is_no_digest_cannot_be_made_one(string? hex)
    {
        var refused = Assert.Throws<ArgumentException>(() => new Digest(hex!));
        Assert.Equal($"\"{hex}\" is no digest: use 64 lower-case hex digits", refused.Message);
    }
}
