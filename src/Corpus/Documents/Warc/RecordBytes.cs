using System.Text;

namespace Elastic.Corpus;

/// <summary>The bytes of a WARC file, of which some can be given back and read again.</summary>
internal sealed class RecordBytes(Stream stream)
{
    private byte[] _buffer = new byte[1 << 16];
    private int _start, _end;

    /// <summary>A line without its end, decoded as UTF-8; false at the end of the file, or where the line is longer than that.</summary>
    public bool TryReadLine(int most, out string line)
    {
        line = "";
        var searched = 0;
        int length;
        while ((length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n')) < 0)
        {
            searched = _end - _start;
            if (searched > most || !Fill())
                return false;
        }
        length += searched;
        line = Encoding.UTF8.GetString(_buffer.AsSpan(_start, length)).TrimEnd('\r');
        _start += length + 1;
        return length <= most;
    }

    /// <summary>Looks at the next bytes, fewer at the end of the file.</summary>
    /// <param name="count">At most as many as the buffer holds.</param>
    public ReadOnlySpan<byte> Peek(int count)
    {
        while (_end - _start < count && Fill())
        {
        }
        return _buffer.AsSpan(_start, Math.Min(count, _end - _start));
    }

    /// <summary>
    /// Reads so many bytes, fewer at the end of the file. What a record claims is not believed: memory grows with what comes.
    /// </summary>
    public byte[] Take(int count)
    {
        using var taken = new MemoryStream();
        while (count > 0 && (_start < _end || Fill()))
        {
            var part = Math.Min(count, _end - _start);
            taken.Write(_buffer.AsSpan(_start, part));
            (_start, count) = (_start + part, count - part);
        }
        return taken.ToArray();
    }

    /// <summary>Gives bytes back: they are read next.</summary>
    public void Return(ReadOnlySpan<byte> bytes)
    {
        byte[] joined = [.. bytes, .. _buffer.AsSpan(_start, _end - _start)];
        (_buffer, _start, _end) = (joined, 0, joined.Length);
    }

    /// <summary>Passes over bytes up to where a record may begin, or to the end of the file.</summary>
    /// <param name="most">No further than this.</param>
    /// <returns>How many bytes that were, and whether a record begins there.</returns>
    public (long Skipped, bool AtRecord) SkipToRecord(long most)
    {
        var skipped = 0L;
        while (skipped < most)
        {
            // The last bytes may be the beginning of the mark.
            var window = Peek((int)Math.Min(1 << 14, most - skipped) + WarcRecords.Mark.Length);
            if (window.IndexOf(WarcRecords.Mark) is var at and >= 0 && skipped + at <= most)
            {
                _start += at + WarcRecords.MarkBefore;
                return (skipped + at + WarcRecords.MarkBefore, true);
            }
            var part = (int)Math.Min(most - skipped, Math.Max(1, window.Length - WarcRecords.Mark.Length + 1));
            if (window.IsEmpty)
                break;
            (_start, skipped) = (_start + part, skipped + part);
        }
        return (skipped, false);
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        var read = stream.Read(_buffer.AsSpan(_end));
        _end += read;
        return read > 0;
    }
}
