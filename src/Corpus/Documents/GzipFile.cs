using System.Buffers.Binary;
using System.IO.Compression;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Unpacks a gzip file and finds out where it was cut short, which .NET's stream takes for its end. A file ends with the length of its last
/// member (RFC 1952), modulo 2^32; where there may be several members, what was unpacked is at least that.
/// </summary>
internal sealed class GzipFile : ReadOnlyStream
{
    private readonly Packed _packed;
    private readonly GZipStream _unpacked;
    private long _count;

    public GzipFile(Stream bytes)
    {
        _packed = new Packed(bytes);
        _unpacked = new GZipStream(_packed, CompressionMode.Decompress);
    }

    public override int Read(Span<byte> buffer)
    {
        var read = _unpacked.Read(buffer);
        _count += read;
        if (read == 0 && !buffer.IsEmpty && _packed.IsCutShort(_count))
            throw new EndOfStreamException("the file is cut short");
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _unpacked.Dispose();
        base.Dispose(disposing);
    }

    // The bytes of the file: remembers the last ones, and whether any three look like the start of a member.
    private sealed class Packed(Stream bytes) : ReadOnlyStream
    {
        private const int ShortestMember = 18;
        private static readonly byte[] MemberStart = [0x1F, 0x8B, 0x08];

        private readonly byte[] _last = new byte[sizeof(uint)];
        private long _length;
        private int _members;

        public override int Read(Span<byte> buffer)
        {
            var read = bytes.Read(buffer);
            byte[] seen = [.. _last, .. buffer[..read]];
            // Starts that end in the new bytes; two of the three may be among the last ones.
            for (var rest = seen.AsSpan(2); rest.IndexOf(MemberStart) is var at and >= 0; rest = rest[(at + 1)..])
                _members++;
            seen.AsSpan(seen.Length - _last.Length).CopyTo(_last);
            _length += read;
            return read;
        }

        public bool IsCutShort(long unpacked)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(_last);
            return _length > 0 && (_length < ShortestMember || (_members > 1 ? unpacked < length : (uint)unpacked != length));
        }
    }
}
