using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Elastic.Host.Display;

/// <summary>
/// A file of TensorBoard's: a sequence of records (length, checksum, bytes, checksum; TFRecord), each of which is an Event in the
/// encoding of Protocol Buffers (tensorflow/core/util/event.proto, framework/summary.proto). Of it, scalars are all that is written.
/// </summary>
internal sealed class TensorBoardFile : IDisposable
{
    private readonly FileStream _file;

    /// <summary>Begins a new file in the folder, which exists. Its name tells when and where, as TensorBoard expects.</summary>
    public TensorBoardFile(string folder)
    {
        var seconds = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString("D10", CultureInfo.InvariantCulture);
        var name = $"events.out.tfevents.{seconds}.{Environment.MachineName}.{Environment.ProcessId}.{Guid.NewGuid():N}";
        _file = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete);
        Write(Event(writer => Text(writer, 3, "brain.Event:2")));
    }

    /// <summary>One point of a curve.</summary>
    public void Scalar(string tag, float value, long step)
    {
        var point = Message(writer =>
        {
            Text(writer, 1, tag);
            Key(writer, 2, 5);
            writer.Write(value);
        });
        var summary = Message(writer => Bytes(writer, 1, point));
        Write(Event(writer =>
        {
            Key(writer, 2, 0);
            writer.Write7BitEncodedInt64(step);
            Bytes(writer, 5, summary);
        }));
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static byte[] Event(Action<BinaryWriter> rest) => Message(writer =>
    {
        Key(writer, 1, 1);
        writer.Write((DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds);
        rest(writer);
    });

    private static byte[] Message(Action<BinaryWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream))
            write(writer);
        return stream.ToArray();
    }

    // The field's number and the kind of its encoding.
    private static void Key(BinaryWriter writer, int field, int kind) => writer.Write7BitEncodedInt((field << 3) | kind);

    private static void Text(BinaryWriter writer, int field, string text) => Bytes(writer, field, Encoding.UTF8.GetBytes(text));

    private static void Bytes(BinaryWriter writer, int field, byte[] bytes)
    {
        Key(writer, field, 2);
        writer.Write7BitEncodedInt(bytes.Length);
        writer.Write(bytes);
    }

    // At once: a curve that lags behind by a buffer is no use to whoever looks at it.
    private void Write(byte[] data)
    {
        Span<byte> header = stackalloc byte[12], footer = stackalloc byte[4];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Checksum(header[..8]));
        BinaryPrimitives.WriteUInt32LittleEndian(footer, Checksum(data));
        _file.Write([.. header, .. data, .. footer]);
        _file.Flush();
    }

    // CRC-32C, rotated and shifted by a constant: so that a checksum over data that contain checksums is a good one, too.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
