using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// How fp32 becomes a type of 16 bits and back, in terms of lanes: integer arithmetic, and for the smallest numbers of binary16 one
/// addition or one exact product, so that all processors have the same bits. A number is rounded to the nearest, of two equally near ones
/// to the one whose last bit is 0 (IEEE 754, 4.3.1); what is beyond the largest becomes infinite; what is not a number stays so.
/// </summary>
internal interface INarrowFormat
{
    /// <summary>fp32 to the type's bits, in the lower half of each lane; zeros above.</summary>
    static abstract T Round<T>(T x)
        where T : struct, ILanes<T>;

    /// <summary>The type's bits, in the lower half of each lane, to fp32. Exact.</summary>
    static abstract T Widen<T>(T bits)
        where T : struct, ILanes<T>;
}

/// <summary>See <see cref="NarrowType.BFloat16"/>.</summary>
internal readonly struct BFloat16Format : INarrowFormat
{
    private const int Magnitude = 0x7FFF_FFFF, Infinity = 0x7F80_0000, Quiet = 0x0040_0000, HalfAUnit = 0x7FFF;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Round<T>(T x)
        where T : struct, ILanes<T>
    {
        var isOdd = T.ShiftRight(x, 16) & T.Bits(1);
        var rounded = T.AddInt(T.AddInt(x, T.Bits(HalfAUnit)), isOdd);
        var isNaN = T.GreaterInt(x & T.Bits(Magnitude), T.Bits(Infinity));
        return T.ShiftRight(T.Select(isNaN, x | T.Bits(Quiet), rounded), 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Widen<T>(T bits)
        where T : struct, ILanes<T>
        => T.ShiftLeft(bits, 16);
}

/// <summary>See <see cref="NarrowType.Float16"/>.</summary>
internal readonly struct Float16Format : INarrowFormat
{
    // fp32: the sign; 2^-14, below which binary16 has fewer digits; 2^16; infinity; the exponents' difference, 112.
    private const int Sign = int.MinValue, Smallest = 0x3880_0000, Beyond = 0x4780_0000, Infinity = 0x7F80_0000, Bias = 112 << 23;

    // Binary16: the magnitude, infinity, a number that is none, the first with all digits.
    private const int NarrowMagnitude = 0x7FFF, NarrowInfinity = 0x7C00, NarrowNaN = 0x7E00, NarrowNormal = 0x0400;

    // A unit of the last place is 2^-24 between 1/2 and 1: the addition rounds to the digits that small numbers have.
    private const float Half = 0.5f, Unit = 1f / (1 << 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Round<T>(T x)
        where T : struct, ILanes<T>
    {
        var sign = x & T.Bits(Sign);
        var magnitude = x ^ sign;
        var isOdd = T.ShiftRight(magnitude, 13) & T.Bits(1);
        var normal = T.ShiftRight(T.SubtractInt(T.AddInt(T.AddInt(magnitude, T.Bits(0xFFF)), isOdd), T.Bits(Bias)), 13);
        var half = T.Broadcast(Half);
        var small = T.SubtractInt(magnitude + half, half);
        var bits = T.Select(T.GreaterInt(T.Bits(Smallest), magnitude), small, normal);
        bits = T.Select(T.GreaterInt(T.Bits(Beyond), magnitude), bits, T.Bits(NarrowInfinity));
        bits = T.Select(T.GreaterInt(magnitude, T.Bits(Infinity)), T.Bits(NarrowNaN), bits);
        return bits | T.ShiftRight(sign, 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Widen<T>(T bits)
        where T : struct, ILanes<T>
    {
        var magnitude = bits & T.Bits(NarrowMagnitude);
        var sign = T.ShiftLeft(bits ^ magnitude, 16);
        var digits = T.ShiftLeft(magnitude, 13);
        var number = T.Select(
            T.GreaterInt(T.Bits(NarrowNormal), magnitude), T.ToSingle(magnitude) * T.Broadcast(Unit), T.AddInt(digits, T.Bits(Bias)));
        return T.Select(T.GreaterInt(T.Bits(NarrowInfinity), magnitude), number, digits | T.Bits(Infinity)) | sign;
    }
}
