using System.Security.Cryptography;

namespace Elastic.Foundation;

/// <summary>
/// Chance that nobody can predict, whatever he has seen of it: what decides which results are computed twice must not follow from anything
/// that a node knows. A <see cref="Random"/>, so that whoever takes chance as an argument can be given a seed in a test.
/// </summary>
public sealed class SecureRandom : Random
{
    /// <inheritdoc/>
    public override int Next() => RandomNumberGenerator.GetInt32(int.MaxValue);

    /// <inheritdoc/>
    public override void NextBytes(byte[] buffer) => RandomNumberGenerator.Fill(buffer);

    /// <inheritdoc/>
    public override void NextBytes(Span<byte> buffer) => RandomNumberGenerator.Fill(buffer);

    // The numbers of all other methods are made of this one: 53 bits, as a double has.
    /// <inheritdoc/>
    protected override double Sample()
    {
        Span<byte> drawn = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(drawn);
        return (BitConverter.ToUInt64(drawn) >> 11) * (1.0 / (1UL << 53));
    }
}
