using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", 3.4): 128 random bits from a counter
/// of 128 bits and a key of 64 bits, with no state, so any part of a sequence can be drawn again anywhere.
///
/// A sequence of words: word i is word i % 4 of counter i / 4. The counter's lower 64 bits stand in its words 0 and 1; words 2, 3 are 0.
/// </summary>
internal static unsafe class Philox
{
    /// <summary>Words that are drawn at once.</summary>
    public const int BlockWords = 64;

    private const int Rounds = 10;
    private const uint Multiplier0 = 0xd2511f53, Multiplier1 = 0xcd9e8d57, Golden = 0x9e3779b9, SqrtThree = 0xbb67ae85;

    // Lane 4 g + k takes counter 4 k + g, so that transposed groups of four lanes are in the sequence's order.
    private static ReadOnlySpan<int> CounterOfLane => [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];

    /// <summary>Words [64 block, 64 block + 64) of a key's sequence, sixteen in each result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Block<T>(ulong key, ulong block, out T first, out T second, out T third, out T fourth)
        where T : struct, ILanes<T>
    {
        var counter = 16 * block;
        T counters;
        fixed (int* lanes = CounterOfLane)
            counters = T.Load((float*)lanes);
        // No carry: the sixteen counters differ in their lowest four bits only.
        T a = T.AddInt(counters, T.Bits((int)(uint)counter)), b = T.Bits((int)(counter >> 32)), c = T.Bits(0), d = c;
        Run(key, ref a, ref b, ref c, ref d);
        T.Transpose(ref a, ref b, ref c, ref d);
        (first, second, third, fourth) = (a, b, c, d);
    }

    /// <summary>The ten rounds over sixteen counters, whose words are a, b, c, d.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<T>(ulong key, ref T a, ref T b, ref T c, ref T d)
        where T : struct, ILanes<T>
    {
        var (key0, key1) = ((uint)key, (uint)(key >> 32));
        T m0 = T.Bits(unchecked((int)Multiplier0)), m1 = T.Bits(unchecked((int)Multiplier1));
        for (var round = 0; round < Rounds; round++)
        {
            T high0 = T.MultiplyHigh(a, m0), low0 = T.MultiplyInt(a, m0), high1 = T.MultiplyHigh(c, m1), low1 = T.MultiplyInt(c, m1);
            a = high1 ^ b ^ T.Bits((int)key0);
            c = high0 ^ d ^ T.Bits((int)key1);
            b = low1;
            d = low0;
            unchecked
            {
                key0 += Golden;
                key1 += SqrtThree;
            }
        }
    }
}
