using System.Runtime.InteropServices;
using Elastic.Messages.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>
/// Numbers between fp32 and the 16-bit types of files. Widening is exact. Narrowing rounds to the nearest, ties to even (IEEE 754, 4.3.1).
/// Files and this machine are both little-endian.
/// </summary>
internal static class NarrowFloats
{
    /// <summary>Widens the elements in <paramref name="bytes"/>, two bytes each.</summary>
    public static void Widen(ElementType type, ReadOnlySpan<byte> bytes, Span<float> into)
    {
        var narrow = MemoryMarshal.Cast<byte, ushort>(bytes);
        if (type == ElementType.BFloat16)
            for (var i = 0; i < into.Length; i++)
                into[i] = BitConverter.UInt32BitsToSingle((uint)narrow[i] << 16);
        else
            for (var i = 0; i < into.Length; i++)
                into[i] = (float)BitConverter.UInt16BitsToHalf(narrow[i]);
    }

    /// <summary>Writes elements in <paramref name="type"/>, little-endian.</summary>
    public static void Narrow(ElementType type, ReadOnlySpan<float> values, Span<byte> into)
    {
        if (type == ElementType.Float32)
        {
            MemoryMarshal.AsBytes(values).CopyTo(into);
            return;
        }

        var narrow = MemoryMarshal.Cast<byte, ushort>(into);
        for (var i = 0; i < values.Length; i++)
            narrow[i] = type == ElementType.BFloat16 ? ToBFloat16(values[i]) : BitConverter.HalfToUInt16Bits((Half)values[i]);
    }

    /// <summary>
    /// The index of the first element that is no finite number, or is none any more as <paramref name="type"/>; -1 for none.
    /// </summary>
    public static int FirstNotFinite(ElementType type, ReadOnlySpan<float> values)
    {
        // The least magnitude that rounds to infinity: half a unit of the last place above the largest finite number.
        var limit = type switch
        {
            ElementType.Float32 => float.PositiveInfinity,
            ElementType.BFloat16 => BitConverter.UInt32BitsToSingle(0x7F7F_8000),
            _ => 65_520f,
        };
        for (var i = 0; i < values.Length; i++)
            if (!(MathF.Abs(values[i]) < limit))
                return i;
        return -1;
    }

    // The upper half of the bits, rounded; a NaN stays one whatever its payload.
    private static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
