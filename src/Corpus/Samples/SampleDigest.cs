using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Proves which samples were read: SHA-256 over each block's number (int64, little-endian) followed by its tokens (int32,
/// little-endian), in reading order.
/// </summary>
public sealed class SampleDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Adds one block that was read.</summary>
    public void Append(long block, ReadOnlySpan<int> tokens)
    {
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(number, block);
        _hash.AppendData(number);
        if (BitConverter.IsLittleEndian)
        {
            _hash.AppendData(MemoryMarshal.AsBytes(tokens));
            return;
        }
        foreach (var token in tokens)
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, token);
            _hash.AppendData(number[..sizeof(int)]);
        }
    }

    /// <summary>The digest of everything appended since the last call.</summary>
    public Digest Finish() => Digest.Of(_hash);

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
