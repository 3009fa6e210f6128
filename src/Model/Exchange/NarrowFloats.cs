using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Messages.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>
/// Numbers between fp32 and the 16-bit types of files, by the kernels that training uses. Widening is exact. Narrowing rounds to the
/// nearest, ties to even (IEEE 754, 4.3.1). Files and this machine are both little-endian.
/// </summary>
internal static class NarrowFloats
{
    /// <summary>Widens the elements in <paramref name="bytes"/>, two bytes each.</summary>
    public static unsafe void Widen(ElementType type, ReadOnlySpan<byte> bytes, Span<float> into)
    {
        fixed (byte* from = bytes)
        fixed (float* to = into)
            NarrowRows.Widen(TypeOf(type), to, (ushort*)from, into.Length);
    }

    /// <summary>Writes elements in <paramref name="type"/>, little-endian.</summary>
    public static unsafe void Narrow(ElementType type, ReadOnlySpan<float> values, Span<byte> into)
    {
        if (type == ElementType.Float32)
        {
            MemoryMarshal.AsBytes(values).CopyTo(into);
            return;
        }
        fixed (float* from = values)
        fixed (byte* to = into)
            NarrowRows.Narrow(TypeOf(type), (ushort*)to, from, values.Length);
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

    private static NarrowType TypeOf(ElementType type) => type == ElementType.BFloat16 ? NarrowType.BFloat16 : NarrowType.Float16;
}
