using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// Random words that are a function of a key and a position: no state, no order of calls, the same on every machine. The mixing is
/// SplitMix64's (Steele, Lea and Flood 2014); word n of a key is its n-th output.
/// </summary>
public readonly record struct KeyedRandom(ulong Key)
{
    private const ulong Golden = 0x9e3779b97f4a7c15;

    /// <summary>A key from its parts, whose order matters.</summary>
    public static KeyedRandom Of(params ReadOnlySpan<ulong> parts)
    {
        var key = 0x656c6173746963UL; // any constant
        foreach (var part in parts)
            key = Mix(key + Golden ^ part);
        return new KeyedRandom(Mix(key));
    }

    /// <summary>A key from a seed and a name (64-bit FNV-1a).</summary>
    public static KeyedRandom Of(ulong seed, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var hash = 0xcbf29ce484222325;
        foreach (var c in name)
            hash = (hash ^ c) * 0x100000001b3;
        return Of(seed, hash);
    }

    /// <summary>The word at <paramref name="position"/>: 64 random bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Word(ulong position) => Mix(Key + (position + 1) * Golden);

    /// <summary>A number from (0, 1), never 0 nor 1: 53 bits and a half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Uniform(ulong position) => ((Word(position) >> 11) + 0.5) * (1.0 / (1UL << 53));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
