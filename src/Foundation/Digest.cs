using System.Buffers;
using System.Security.Cryptography;

namespace Elastic.Foundation;

/// <summary>The SHA-256 of some bytes, in lower-case hex: the address of a blob and the proof of a result.</summary>
public readonly record struct Digest
{
    /// <exception cref="ArgumentException">The text is not 64 lower-case hex digits.</exception>
    public Digest(string hex) => Hex = IsDigest(hex)
        ? hex
        : throw new ArgumentException(
            $"\"{(hex?.Length > 2 * Length ? hex[..(2 * Length)] + "…" : hex)}\" is no digest: use {2 * Length} lower-case hex digits");

    /// <summary>64 lower-case hex digits; null in a value that no constructor made.</summary>
    public string Hex { get; }

    /// <summary>Bytes in a digest.</summary>
    public const int Length = SHA256.HashSizeInBytes;

    // System calls cost little for so many at a time, and they stay in the processor's cache.
    private const int PieceBytes = 256 << 10;

    /// <summary>Hashes <paramref name="bytes"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[Length];
        SHA256.HashData(bytes, hash);
        return new Digest(Convert.ToHexStringLower(hash));
    }

    /// <summary>Hashes what is left of a stream.</summary>
    public static Digest Of(Stream stream)
    {
        Span<byte> hash = stackalloc byte[Length];
        SHA256.HashData(stream, hash);
        return new Digest(Convert.ToHexStringLower(hash));
    }

    /// <summary>Hashes what is left of a stream, which takes minutes where that is a large file.</summary>
    /// <param name="cancel">Looked at with each piece of it.</param>
    public static Digest Of(Stream stream, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            while (stream.Read(buffer, 0, buffer.Length) is var read and > 0)
            {
                cancel.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return Of(hash);
    }

    /// <summary>Hashes what is left of a stream.</summary>
    public static async Task<Digest> OfAsync(Stream stream, CancellationToken cancel) =>
        new(Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel)));

    /// <summary>Takes the hash that <paramref name="hash"/> has gathered so far, and resets it.</summary>
    public static Digest Of(IncrementalHash hash)
    {
        ArgumentNullException.ThrowIfNull(hash);
        return new Digest(Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    /// <summary>True for 64 lower-case hex digits, so that no digest is a path.</summary>
    public static bool IsDigest(string? hex) => hex?.Length == 2 * Length && hex.All(char.IsAsciiHexDigitLower);

    /// <summary>The first twelve digits, for people.</summary>
    public string Short => Hex is { Length: > 12 } ? Hex[..12] : Hex;

    /// <inheritdoc/>
    public override string ToString() => Hex;
}
