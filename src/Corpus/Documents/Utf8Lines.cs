namespace Elastic.Corpus;

/// <summary>Cuts a stream of bytes at '\n'. The buffer grows to the longest line at most.</summary>
/// <param name="stream">The bytes.</param>
/// <param name="file">The file of the stream, for messages.</param>
/// <param name="statistics">Takes the lines that are too long, where the file's reading passes over them.</param>
internal sealed class Utf8Lines(Stream stream, SourceFile file, ReadStatistics statistics)
{
    // Bytes of the longest line that may be read, its end included; one array must hold it.
    private readonly int _longest = file.Reading.MostOfRecord;
    private byte[] _buffer = new byte[Math.Min(1 << 17, file.Reading.MostOfRecord)];
    private int _start, _end;

    /// <summary>The lines read so far.</summary>
    public long Count { get; private set; }

    /// <summary>The next line without its end, valid until the next call; false at the end of the stream.</summary>
    /// <exception cref="Elastic.Foundation.ElasticException">The line is too long.</exception>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        var searched = _start;
        int length;
        while ((length = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n')) < 0)
        {
            if (_end - _start >= _longest)
            {
                PassOver();
                searched = _start;
                continue;
            }
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
        // Files that were joined have byte order marks in the middle.
        while (line.Span.StartsWith("\uFEFF"u8))
            line = line[3..];
        return line;
    }

    // Takes the rest of a line that is too long.
    private void PassOver()
    {
        var line = (file.Part?.LinesBefore ?? 0) + ++Count;
        var problem = ReadLimits.Exceeded(file, $"has a line {line} of more than {_longest} bytes");
        if (!file.Reading.PassesOverRejects)
            throw problem;
        var (length, end) = ((long)_end - _start, -1);
        (_start, _end) = (0, 0);
        while (end < 0 && (_end = stream.Read(_buffer, 0, _buffer.Length)) > 0)
        {
            end = _buffer.AsSpan(0, _end).IndexOf((byte)'\n');
            length += end < 0 ? _end : end;
        }
        _start = end < 0 ? _end : end + 1;
        statistics.CountMalformed(file, line, problem.Message, length);
    }

    private void MakeRoom()
    {
        if (_end < _buffer.Length)
            return;
        var target = _start > 0 ? _buffer : new byte[Math.Min(_longest, _buffer.Length * 2L)];
        _buffer.AsSpan(_start, _end - _start).CopyTo(target);
        (_buffer, _start, _end) = (target, 0, _end - _start);
    }
}
