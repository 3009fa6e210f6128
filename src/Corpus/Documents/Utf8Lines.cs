using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Cuts a stream of bytes at '\n'. The buffer grows to the longest line at most.</summary>
/// <param name="stream">The bytes.</param>
/// <param name="path">Name of the stream in messages.</param>
/// <param name="longest">Bytes of the longest line that may be read, its end included; one array must hold it.</param>
internal sealed class Utf8Lines(Stream stream, string path, int longest = 1 << 30)
{
    private byte[] _buffer = new byte[Math.Min(1 << 17, longest)];
    private int _start, _end;
    private bool _isFirst = true;

    /// <summary>The lines read so far.</summary>
    public long Count { get; private set; }

    /// <summary>The next line without its end, valid until the next call; false at the end of the stream.</summary>
    /// <exception cref="ElasticException">The line is too long.</exception>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        var searched = _start;
        int length;
        while ((length = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n')) < 0)
        {
            var pending = _end - _start;
            MakeRoom();
            var read = stream.Read(_buffer, _end, _buffer.Length - _end);
            searched = _start + pending;
            _end += read;
            if (read > 0)
                continue;
            line = Take(pending, skip: 0);
            Count += pending > 0 ? 1 : 0;
            return pending > 0;
        }
        line = Take(searched + length - _start, skip: 1);
        Count++;
        return true;
    }

    private ReadOnlyMemory<byte> Take(int length, int skip)
    {
        var line = _buffer.AsMemory(_start, length);
        _start += length + skip;
        if (_isFirst && line.Span.StartsWith("\uFEFF"u8))
            line = line[3..];
        _isFirst = false;
        return line;
    }

    private void MakeRoom()
    {
        if (_end < _buffer.Length)
            return;
        if (_end - _start >= longest)
            throw new ElasticException(
                $"{path}:{Count + 1} is longer than {longest} bytes: cut the line into several documents, or leave the file out");
        var target = _start > 0 ? _buffer : new byte[Math.Min(longest, _buffer.Length * 2L)];
        _buffer.AsSpan(_start, _end - _start).CopyTo(target);
        (_buffer, _start, _end) = (target, 0, _end - _start);
    }
}
