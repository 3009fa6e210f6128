using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;

namespace Elastic.Model.Tests.Exchange;

/// <summary>Every number of both 16-bit types against its closed form, sign * 2^e * (1 + m), and all halfway between two.</summary>
public sealed class NarrowFloatsTests
{
    public static TheoryData<ElementType, int, int> Types => new() { { ElementType.BFloat16, 8, 7 }, { ElementType.Float16, 5, 10 } };

    [Theory]
    [MemberData(nameof(Types))]
    public void All_numbers_of_16_bits_widen_to_what_their_bits_mean(ElementType type, int exponentBits, int mantissaBits)
    {
        var widened = Widened(type);
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var expected = Meaning(bits, exponentBits, mantissaBits);
            Assert.True(
                double.IsNaN(expected) ? float.IsNaN(widened[bits])
                    : BitConverter.SingleToUInt32Bits(widened[bits]) == BitConverter.SingleToUInt32Bits((float)expected),
                $"{bits:X4}: {widened[bits]} in place of {expected}");
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Narrowing_takes_the_nearest_number_and_of_two_equally_near_the_even_one(
        ElementType type, int exponentBits, int mantissaBits)
    {
        var infinity = ((1 << exponentBits) - 1) << mantissaBits;
        for (var bits = 0; bits < infinity; bits++)
        {
            var (lower, upper) = (Meaning(bits, exponentBits, mantissaBits), Meaning(bits + 1, exponentBits, mantissaBits));
            Narrows(type, lower, bits);
            // Beyond the largest number lies infinity, as if the next binade went on.
            var middle = double.IsInfinity(upper)
                ? lower + (lower - Meaning(bits - 1, exponentBits, mantissaBits)) / 2 : (lower + upper) / 2;
            Narrows(type, middle, bits + (bits & 1));
            Narrows(type, MathF.BitDecrement((float)middle), bits);
            Narrows(type, MathF.BitIncrement((float)middle), bits + 1);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_number_that_rounds_to_infinity_is_found_and_the_largest_one_that_does_not_is_not(
        ElementType type, int exponentBits, int mantissaBits)
    {
        var largest = (((1 << exponentBits) - 1) << mantissaBits) - 1;
        var below = Meaning(largest, exponentBits, mantissaBits);
        var limit = (float)(below + (below - Meaning(largest - 1, exponentBits, mantissaBits)) / 2);
        Assert.Equal(-1, NarrowFloats.FirstNotFinite(type, [0, -MathF.BitDecrement(limit), MathF.BitDecrement(limit)]));
        Assert.Equal(1, NarrowFloats.FirstNotFinite(type, [0, limit]));
        Assert.Equal(1, NarrowFloats.FirstNotFinite(type, [0, -limit]));
        Assert.Equal(0, NarrowFloats.FirstNotFinite(type, [float.NaN]));
        Assert.Equal(0, NarrowFloats.FirstNotFinite(ElementType.Float32, [float.NegativeInfinity]));
        Assert.Equal(-1, NarrowFloats.FirstNotFinite(ElementType.Float32, [float.MaxValue]));
    }

    [Fact]
    public void A_NaN_stays_one()
    {
        foreach (var type in (ElementType[])[ElementType.BFloat16, ElementType.Float16])
            Assert.True(float.IsNaN(Widened(type)[Narrowed(type, BitConverter.UInt32BitsToSingle(0x7F80_0001))]));
    }

    private static void Narrows(ElementType type, double value, int bits)
    {
        Assert.Equal(value, (float)value);                              // the test's own numbers are exact
        Assert.True(bits == Narrowed(type, (float)value), $"{value:R} became {Narrowed(type, (float)value):X4} in place of {bits:X4}");
        Assert.Equal(bits | 0x8000, Narrowed(type, (float)-value));
    }

    private static ushort Narrowed(ElementType type, float value)
    {
        Span<byte> bytes = stackalloc byte[2];
        NarrowFloats.Narrow(type, [value], bytes);
        return BitConverter.ToUInt16(bytes);
    }

    private static float[] Widened(ElementType type)
    {
        var bytes = new byte[2 * (ushort.MaxValue + 1)];
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
            BitConverter.TryWriteBytes(bytes.AsSpan(2 * bits), (ushort)bits);
        var widened = new float[ushort.MaxValue + 1];
        NarrowFloats.Widen(type, bytes, widened);
        return widened;
    }

    private static double Meaning(int bits, int exponentBits, int mantissaBits)
    {
        var (sign, bias) = (bits >= 0x8000 ? -1.0 : 1.0, (1 << (exponentBits - 1)) - 1);
        var exponent = (bits & 0x7FFF) >> mantissaBits;
        var fraction = (bits & ((1 << mantissaBits) - 1)) / (double)(1 << mantissaBits);
        return exponent == (1 << exponentBits) - 1 ? (fraction == 0 ? sign * double.PositiveInfinity : double.NaN)
            : exponent == 0 ? sign * fraction * Math.Pow(2, 1 - bias)
            : sign * (1 + fraction) * Math.Pow(2, exponent - bias);
    }
}
