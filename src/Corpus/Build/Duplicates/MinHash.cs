using System.Buffers.Binary;
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

    private readonly (ulong Factor, ulong Summand)[] _functions;

    /// <param name="functions">
    /// Function i of a hash h of 32 bits is the lower half of (Factor h + Summand mod 2^64) mod (2^61 - 1).
    /// </param>
    public MinHash((ulong Factor, ulong Summand)[] functions) => _functions = functions;

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
        var least = new uint[_functions.Length];
        least.AsSpan().Fill(uint.MaxValue);
        foreach (var hash in hashes)
        {
            for (var i = 0; i < least.Length; i++)
            {
                var (factor, summand) = _functions[i];
                least[i] = Math.Min(least[i], (uint)(unchecked(factor * hash + summand) % Prime));
            }
        }
        return least;
    }
}
