using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Unpacks streams that lie one behind the other, as <c>cat a.xz b.xz</c> joins them. The libraries end with the first
/// one, or take whatever does not begin like another one for the end.
/// </summary>
/// <param name="bytes">The file.</param>
/// <param name="mark">How each stream begins.</param>
/// <param name="padding">Multiples of so many zeros may follow a stream; 0 where none may.</param>
/// <param name="open">Unpacks one stream, and takes no byte behind it.</param>
internal sealed class JoinedStreams(Stream bytes, byte[] mark, int padding, Func<Stream, Stream> open) : ReadOnlyStream
{
    private readonly Ahead _packed = new(bytes);
    private Stream? _unpacked;

    public override int Read(Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            if (_unpacked is null)
            {
                var start = _packed.Peek(mark.Length);
                // A file of no bytes holds nothing, as in every packing.
                if (start.IsEmpty)
                    return 0;
                if (!start.SequenceEqual(mark))
                    throw start.Length < mark.Length ? CutShort() : new InvalidDataException("the file does not begin as its name says");
            }
            if (Unpack(buffer) is var read and > 0)
                return read;
            PassOverPadding();
            var next = _packed.Peek(mark.Length);
            if (next.IsEmpty)
                return 0;
            if (!next.SequenceEqual(mark))
                throw new TrailingBytesException(next.Length);
            _unpacked!.Dispose();
            _unpacked = null;
        }
        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unpacked?.Dispose();
            _packed.Dispose();
        }
        base.Dispose(disposing);
    }

    // A library that asks for more than there is says that in words of its own.
    private int Unpack(Span<byte> buffer)
    {
        try
        {
            return (_unpacked ??= open(_packed)).Read(buffer);
        }
        catch (Exception e) when (_packed.IsOver && e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            throw CutShort(e);
        }
    }

    private static EndOfStreamException CutShort(Exception? inner = null) => new("the file is cut short", inner);

    private void PassOverPadding()
    {
        while (padding > 0 && _packed.Peek(padding) is var zeros && zeros.Length == padding && !zeros.ContainsAnyExcept((byte)0))
            _packed.Skip(padding);
    }

    /// <summary>The bytes of the file, of which the next ones can be looked at. Stays open: libraries close what they read.</summary>
    private sealed class Ahead(Stream bytes) : ReadOnlyStream
    {
        private byte[] _next = [];
        private long _position;

        // A library asks for it, to find the padding of a block.
        public override long Position
        {
            get => _position;
            set => base.Position = value;
        }

        /// <summary>Whether more was read than there is.</summary>
        public bool IsOver { get; private set; }

        /// <summary>The next bytes, fewer at the end of the file.</summary>
        public ReadOnlySpan<byte> Peek(int count)
        {
            if (_next.Length < count)
            {
                var more = new byte[count - _next.Length];
                var read = bytes.ReadAtLeast(more, more.Length, throwOnEndOfStream: false);
                _next = [.. _next, .. more.AsSpan(0, read)];
            }
            return _next.AsSpan(0, Math.Min(count, _next.Length));
        }

        /// <summary>Passes over bytes that were looked at.</summary>
        public void Skip(int count)
        {
            _next = _next[count..];
            _position += count;
        }

        public override int Read(Span<byte> buffer)
        {
            var count = Math.Min(buffer.Length, _next.Length);
            if (count == 0)
            {
                count = bytes.Read(buffer);
                _position += count;
                IsOver |= count == 0 && !buffer.IsEmpty;
                return count;
            }
            _next.AsSpan(0, count).CopyTo(buffer);
            Skip(count);
            return count;
        }

        // The libraries read byte by byte, for which a stream makes an array each.
        public override int ReadByte()
        {
            Span<byte> one = stackalloc byte[1];
            return Read(one) == 1 ? one[0] : -1;
        }
    }
}

/// <summary>What follows the end of compressed data does not belong to it: all before it was unpacked.</summary>
/// <param name="taken">How many of these bytes were taken from the file.</param>
internal sealed class TrailingBytesException(int taken) : IOException("what follows the compressed data does not belong to it")
{
    /// <summary>How many of these bytes were taken from the file already.</summary>
    public int Taken { get; } = taken;
}
