using System.Buffers.Binary;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// The token file of llm.c (dev/data/data_common.py): 256 int32 (magic 20240520, version 1, token count, zeros), then GPT-2 tokens as
/// u16, all little-endian. The file has no hashes: only its length can be checked.
/// </summary>
internal static class LlmcShard
{
    public const int HeaderSize = 256 * sizeof(int);
    private const int Magic = 20240520;
    private const int Version = 1;

    public static bool HasMagic(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= sizeof(int) && BinaryPrimitives.ReadInt32LittleEndian(bytes) == Magic;

    /// <summary>What to do about a damaged file that somebody gave as a source: Elastic did not make it and does not delete it.</summary>
    public const string RemedyOfSources = "write or download it again, or leave it out (corpus.exclude)";

    /// <summary>Whether the file begins like one.</summary>
    public static bool IsShard(SourceFile file)
    {
        using var stream = file.OpenRead();
        var start = new byte[sizeof(int)];
        return HasMagic(start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)));
    }

    /// <summary>The number of tokens of a file.</summary>
    /// <param name="header">The first <see cref="HeaderSize"/> bytes, or all where there are fewer.</param>
    /// <param name="fileLength">In bytes.</param>
    /// <param name="path">For messages.</param>
    /// <param name="remedy">What to do about a file that is cut short.</param>
    /// <exception cref="ElasticException">Not such a file, or cut short.</exception>
    public static long ParseTokens(ReadOnlySpan<byte> header, long fileLength, string path, string remedy)
    {
        if (!HasMagic(header))
            throw new ElasticException($"{path} is not a token shard of llm.c: the magic number {Magic} is missing; {remedy}");
        if (header.Length < HeaderSize)
            throw TokenShard.Truncated(path, HeaderSize, fileLength, remedy);
        var version = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        if (version != Version)
            throw new ElasticException(
                $"{path} is a token shard of llm.c of version {version}, this program reads {Version}: write it again with GPT-2 tokens");
        // llm.c allows 2^31 - 1 tokens a file.
        var tokens = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        var expected = HeaderSize + (long)tokens * sizeof(ushort);
        return tokens >= 0 && fileLength == expected ? tokens : throw TokenShard.Truncated(path, expected, fileLength, remedy);
    }
}
