using System.Buffers.Binary;

namespace Elastic.Actors.Corpora;

/// <summary>Elements of samples as little-endian integers of two or four bytes.</summary>
internal static class TokenBytes
{
    /// <summary>The bytes that each of them needs.</summary>
    public static int WidthFor(ReadOnlySpan<int> elements) =>
        elements.IndexOfAnyExceptInRange(0, ushort.MaxValue) < 0 ? sizeof(ushort) : sizeof(int);

    public static void Pack(ReadOnlySpan<int> tokens, int width, Span<byte> into)
    {
        for (var i = 0; i < tokens.Length; i++)
            if (width == sizeof(ushort))
                BinaryPrimitives.WriteUInt16LittleEndian(into[(i * width)..], (ushort)tokens[i]);
            else
                BinaryPrimitives.WriteInt32LittleEndian(into[(i * width)..], tokens[i]);
    }

    public static void Unpack(ReadOnlySpan<byte> bytes, int width, Span<int> into)
    {
        for (var i = 0; i < into.Length; i++)
            into[i] = width == sizeof(ushort)
                ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[(i * width)..])
                : BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * width)..]);
    }
}
