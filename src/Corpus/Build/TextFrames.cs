using System.Buffers.Binary;
using System.Text;
using Elastic.Foundation;
using Microsoft.Win32.SafeHandles;
using ZstdSharp;

namespace Elastic.Corpus.Build;

/// <summary>The file with the texts of a piece: frames of them, each packed by itself behind its packed length.</summary>
internal static class TextFrames
{
    /// <summary>
    /// Bytes of texts after which a frame is closed: enough for a good compression, and little to unpack for one document.
    /// </summary>
    public const int FrameBytes = 1 << 20;

    /// <summary>Bytes that hold all frames but those that end with a long text.</summary>
    public const int UsualBytes = FrameBytes + (FrameBytes >> 3);

    // What a frame takes besides a 256th more than its texts: its length, and what Zstandard adds to a short one that does not shrink.
    private const int MostOfFrame = 128;

    /// <summary>What Zstandard's programs take by default.</summary>
    public const int Level = 3;

    /// <summary>Bytes of a file of frames, at most.</summary>
    /// <param name="bytes">Bytes of their texts.</param>
    public static long MostBytesOf(long bytes, long frames) => bytes + (bytes >> 8) + frames * MostOfFrame;

    /// <summary>Texts that are packed together, unpacked.</summary>
    /// <param name="frame">Where the frame begins in the file.</param>
    /// <param name="mostBytes">A frame of more is refused before it is unpacked.</param>
    /// <param name="buffer">Takes them, a larger one in its place where it is too small: an array for each frame is garbage of the size of
    /// the corpus, in the heap that is collected last.</param>
    /// <returns>The texts, and where the next frame begins.</returns>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static (ReadOnlyMemory<byte> Texts, long Next) Read(SafeFileHandle file, long frame, long mostBytes, ref byte[] buffer)
    {
        try
        {
            Span<byte> length = stackalloc byte[sizeof(int)];
            if (RandomAccess.Read(file, length, frame) < length.Length)
                throw new InvalidDataException("it was cut short");
            var packed = new byte[Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(length), 0, RandomAccess.GetLength(file))];
            if (RandomAccess.Read(file, packed, frame + length.Length) < packed.Length)
                throw new InvalidDataException("it was cut short");
            var bytes = Decompressor.GetDecompressedSize(packed);
            if (bytes > (ulong)Math.Min(mostBytes, Array.MaxLength))
                throw new InvalidDataException($"a frame of it says that it has {bytes} bytes");
            if (buffer.Length < (int)bytes)
                buffer = new byte[Math.Max((int)bytes, UsualBytes)];
            using var unpacking = new Decompressor();
            return (buffer.AsMemory(0, unpacking.Unwrap(packed, buffer)), frame + length.Length + packed.Length);
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    /// <summary>A text in an unpacked frame.</summary>
    /// <exception cref="ElasticException">It ends behind the frame.</exception>
    public static string TextOf(ReadOnlyMemory<byte> frame, int at, int bytes) => at >= 0 && bytes >= 0 && at <= frame.Length - bytes
        ? Encoding.UTF8.GetString(frame.Span.Slice(at, bytes))
        : throw new ElasticException("a text ends behind its frame: delete the folder of pieces, and give the same command again");
}
