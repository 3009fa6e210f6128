using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// Philox4x32-10 (Salmon et al. 2011, section 4.3): four random words that are a function of a counter of 128 bits and a key of 64. Integers
/// only, so that every processor draws the same, and any position is drawn without those before it.
/// </summary>
internal static class Philox
{
    private const uint FirstMultiplier = 0xd2511f53, SecondMultiplier = 0xcd9e8d57, FirstStep = 0x9e3779b9, SecondStep = 0xbb67ae85;

    private const int Rounds = 10;

    /// <summary>The words of sixteen counters. The lower half of the key is the first key word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (T A, T B, T C, T D) Words<T>(T a, T b, T c, T d, ulong key)
        where T : struct, ILanes<T>
    {
        var (first, second) = ((uint)key, (uint)(key >> 32));
        T x = T.Bits(unchecked((int)FirstMultiplier)), y = T.Bits(unchecked((int)SecondMultiplier));
        for (var round = 0; round < Rounds; round++, first += FirstStep, second += SecondStep)
        {
            (a, b, c, d) = (
                T.MultiplyHigh(c, y) ^ b ^ T.Bits((int)first), T.MultiplyInt(c, y),
                T.MultiplyHigh(a, x) ^ d ^ T.Bits((int)second), T.MultiplyInt(a, x));
        }
        return (a, b, c, d);
    }
}
