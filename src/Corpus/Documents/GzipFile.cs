using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Unpacks a gzip file (RFC 1952) of one member or several. .NET's own stream takes the place where a file is cut short for its end, and
/// passes over whatever does not begin like another member, so the frames of members are read here. Zeros behind the last one are no
/// damage.
/// </summary>
/// <param name="bytes">The file.</param>
/// <param name="passesOverRest">Whether other bytes behind the last member are passed over, too, as browsers do.</param>
internal sealed class GzipFile(Stream bytes, bool passesOverRest = false) : ReadOnlyStream
{
    private const int HeadLength = 10, TrailerLength = 8;
    private const int HasSum = 2, HasExtra = 4, HasName = 8, HasComment = 16;

    private readonly Packed _packed = new(bytes);
    private readonly Crc32 _sum = new();
    private DeflateStream? _member;
    private long _length;
    private bool _isBehindFirst, _isOver;

    public override int Read(Span<byte> buffer)
    {
        while (!buffer.IsEmpty && (_member is not null || Begins()))
        {
            if (_member!.Read(buffer) is var read and > 0)
            {
                _sum.Append(buffer[..read]);
                _length += read;
                return read;
            }
            End();
        }
        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _member?.Dispose();
            _packed.Dispose();
        }
        base.Dispose(disposing);
    }

    // Whether another member follows.
    private bool Begins()
    {
        if (_isBehindFirst)
            PassOverZeros();
        var head = _packed.Peek(HeadLength);
        if (_isOver || head.IsEmpty)
            return false;
        if (head is not [0x1F, 0x8B, 8, < 0x20, ..])
        {
            if (!_isBehindFirst)
                throw head.Length < HeadLength ? CutShort() : new InvalidDataException("it does not begin like a gzip file");
            _isOver = passesOverRest;
            return passesOverRest ? false : throw new TrailingBytesException(_packed.Taken);
        }
        var flags = head[3];
        _packed.Skip(HeadLength);
        if ((flags & HasExtra) != 0)
            _packed.Skip(BinaryPrimitives.ReadUInt16LittleEndian(_packed.Take(sizeof(ushort))));
        if ((flags & HasName) != 0)
            SkipText();
        if ((flags & HasComment) != 0)
            SkipText();
        if ((flags & HasSum) != 0)
            _packed.Skip(sizeof(ushort));
        _member = new DeflateStream(_packed, CompressionMode.Decompress, leaveOpen: true);
        return true;
    }

    private void PassOverZeros()
    {
        while (_packed.Peek(1) is [0])
            _packed.Skip(1);
    }

    private void SkipText()
    {
        while (_packed.Take(1)[0] != 0)
        {
        }
    }

    // Where the compressed data of a member ends, its inflater does not say; its checksum and length, which follow, do.
    private void End()
    {
        Span<byte> trailer = stackalloc byte[TrailerLength];
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, _sum.GetCurrentHashAsUInt32());
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[sizeof(uint)..], unchecked((uint)_length));
        if (!_packed.TryPass(trailer))
            throw _packed.Taken < TrailerLength ? CutShort() : new InvalidDataException("the checksum of its data is wrong");
        _member!.Dispose();
        (_member, _length, _isBehindFirst) = (null, 0, true);
        _sum.Reset();
    }

    private static EndOfStreamException CutShort() => new("the file is cut short");

    /// <summary>The bytes of the file, of which an inflater gets pieces.</summary>
    private sealed class Packed(Stream bytes) : ReadOnlyStream
    {
        // From _start to _given is the piece that the inflater has, from there to _end is what is not given yet.
        private byte[] _buffer = new byte[1 << 13];
        private int _start, _given, _end;

        /// <summary>Bytes that were read from the file, and not given.</summary>
        public int Taken => _end - _given;

        /// <summary>The next piece for the inflater, which has used up the one before.</summary>
        public override int Read(Span<byte> buffer)
        {
            _start = _given;
            // What may be the trailer is given byte by byte: an inflater that has all of its data leaves a whole one.
            var bytesLeft = Peek(TrailerLength + 1).Length <= TrailerLength ? Math.Min(1, _end - _given) : _end - _given - TrailerLength;
            var count = Math.Min(buffer.Length, bytesLeft);
            _buffer.AsSpan(_given, count).CopyTo(buffer);
            _given += count;
            return count;
        }

        /// <summary>The next bytes, fewer at the end of the file. No inflater is at work.</summary>
        public ReadOnlySpan<byte> Peek(int count)
        {
            while (_end - _given < count && Fill())
            {
            }
            return _buffer.AsSpan(_given, Math.Min(count, _end - _given));
        }

        public ReadOnlySpan<byte> Take(int count)
        {
            var taken = Peek(count);
            if (taken.Length < count)
                throw CutShort();
            _start = _given += count;
            return taken;
        }

        public void Skip(int count) => Take(count);

        /// <summary>
        /// Passes over these bytes, which end a member: they are behind what the inflater has, or begin somewhere in it.
        /// </summary>
        public bool TryPass(ReadOnlySpan<byte> trailer)
        {
            Peek(trailer.Length);
            var bytesLeft = _buffer.AsSpan(_start, Math.Min(_end, _given + trailer.Length) - _start);
            var at = bytesLeft.IndexOf(trailer);
            if (at < 0)
                return false;
            // The trailer of nothing is zeros, and so is the second of the two bytes that nothing is compressed to.
            if (at > 0 && bytesLeft[at - 1] == 3 && !trailer.ContainsAnyExcept((byte)0) && bytesLeft[(at + 1)..].StartsWith(trailer))
                at++;
            _start = _given = _start + at + trailer.Length;
            return true;
        }

        private bool Fill()
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_given, _end, _start) = (_given - _start, _end - _start, 0);
            if (_end == _buffer.Length)
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            var read = bytes.Read(_buffer.AsSpan(_end));
            _end += read;
            return read > 0;
        }
    }
}
