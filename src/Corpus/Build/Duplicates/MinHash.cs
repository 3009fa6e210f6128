using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;

namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// Signatures of sets (Broder 1997, "On the resemblance and containment of documents"): of each of some hash functions the least value
/// over the set. Two sets agree in a place of their signatures with a probability of about their Jaccard similarity.
/// </summary>
internal sealed class MinHash
{
    private const ulong Prime = (1UL << 61) - 1;

    // Whole vectors: what is behind the last function is not read.
    private readonly ulong[] _factors, _summands;
    private readonly int _functions;

    /// <param name="functions">
    /// Function i of a hash h of 32 bits is the lower half of (Factor h + Summand mod 2^64) mod (2^61 - 1).
    /// </param>
    public MinHash((ulong Factor, ulong Summand)[] functions)
    {
        ArgumentNullException.ThrowIfNull(functions);
        var width = (functions.Length + Vector512<ulong>.Count - 1) / Vector512<ulong>.Count * Vector512<ulong>.Count;
        (_functions, _factors, _summands) = (functions.Length, new ulong[width], new ulong[width]);
        foreach (var (i, function) in functions.Index())
            (_factors[i], _summands[i]) = function;
    }

    /// <summary>Hash functions that follow from their number alone.</summary>
    public static MinHash Of(int functions) => new([.. Enumerable.Range(0, functions).Select(i =>
    {
        var random = SHA256.HashData(Encoding.ASCII.GetBytes($"elastic minhash {i}"));
        return (1 + BinaryPrimitives.ReadUInt64LittleEndian(random) % (Prime - 1),
            BinaryPrimitives.ReadUInt64LittleEndian(random.AsSpan(sizeof(ulong))) % Prime);
    })]);

    /// <summary>The signature of a set of hashes.</summary>
    /// <returns>A value for each function; 2^32 - 1 everywhere for the empty set.</returns>
    public uint[] Signature(IEnumerable<uint> hashes)
    {
        var least = new ulong[_factors.Length];
        least.AsSpan().Fill(uint.MaxValue);
        foreach (var hash in hashes)
        {
            for (nuint i = 0; i < (nuint)least.Length; i += (nuint)Vector512<ulong>.Count)
            {
                var values = Remainder(Vector512.LoadUnsafe(ref _factors[0], i) * hash + Vector512.LoadUnsafe(ref _summands[0], i));
                Vector512.Min(Vector512.LoadUnsafe(ref least[0], i), values & Vector512.Create((ulong)uint.MaxValue))
                    .StoreUnsafe(ref least[0], i);
            }
        }
        return [.. least.Take(_functions).Select(value => (uint)value)];
    }

    // Of the division by 2^61 - 1: 2^61 is 1 there. The sum of both parts is less than twice the prime; where it is smaller than the
    // prime, the difference wraps around and is the larger one.
    private static Vector512<ulong> Remainder(Vector512<ulong> value)
    {
        var sum = (value & Vector512.Create(Prime)) + Vector512.ShiftRightLogical(value, 61);
        return Vector512.Min(sum, sum - Vector512.Create(Prime));
    }
}
