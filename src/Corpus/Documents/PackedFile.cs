using Elastic.Foundation;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Elastic.Corpus;

/// <summary>
/// The bytes of a file, unpacked. Damage of compressed data is an <see cref="InvalidDataException"/>, whatever the library calls it: what
/// the disk does not give is an <see cref="ElasticException"/> already, see <see cref="SourceStream"/>.
/// </summary>
internal sealed class PackedFile : ReadOnlyStream
{
    private readonly SourceFile _file;
    private readonly Stream _packed;
    private readonly Unclosed _taken;
    private Stream? _unpacked;
    private long _left, _takenBefore;

    private PackedFile(SourceFile file, Stream packed) =>
        (_file, _packed, _taken, _left) = (file, packed, new Unclosed(packed), file.Part?.Length ?? FilePart.ToEnd);

    // Bytes of the file that are not taken yet.
    private long PackedBytesLeft => Math.Max(0, _file.Length - _packed.Position);

    // Bytes of the file of which nothing was unpacked yet, at most: libraries take more than they use at once, and the rest is theirs.
    private long NotUnpacked => PackedBytesLeft + Math.Max(_taken.Last, _taken.Position - _takenBefore);

    /// <summary>Opens the file, unpacked; a reader hears of damage.</summary>
    public static PackedFile Open(SourceFile file) => new(file, file.OpenRead());

    /// <summary>Opens the file, unpacked; it ends where it is damaged, which is counted.</summary>
    public static Stream OpenToDamage(SourceFile file, ReadStatistics statistics) =>
        file is { Packing: Packing.None, Part: null } ? file.OpenRead() : new ToDamage(Open(file), statistics);

    /// <summary>Counts that the rest of a file cannot be unpacked.</summary>
    /// <param name="line">Where that is, where it is known.</param>
    /// <exception cref="RejectedFileException">See <see cref="ReadStatistics.CountRest"/>.</exception>
    public void CountRest(ReadStatistics statistics, long line, Exception damage)
    {
        // What was lost is not known unpacked: it is what is left of the file. What is missing behind its end, nobody knows.
        long? left = damage.InnerException switch
        {
            EndOfStreamException => null,
            TrailingBytesException trailing => PackedBytesLeft + trailing.Taken,
            _ => NotUnpacked,
        };
        statistics.CountRest(_file, line, "the compressed data ends or breaks here, and the rest of the file "
            + $"{(left > 0 ? $"(at least {left} bytes of it) " : "")}is lost: {damage.Message}", left);
    }

    /// <summary>Bytes of a file that are behind the place where its stream is; compressed ones where it is compressed.</summary>
    public static long LeftOf(Stream stream) =>
        stream is ToDamage compressed ? compressed.NotUnpacked : stream.Length - stream.Position;

    /// <summary>Whether a stream of <see cref="OpenToDamage"/> has ended at damage, which is counted.</summary>
    public static bool IsDamaged(Stream stream) => stream is ToDamage { IsOver: true };

    /// <summary>Unpacks a file to where it can be read in any order, and reads it.</summary>
    public static IEnumerable<Document> Unpacked(
        SourceFile file, ReadStatistics statistics, Func<SourceFile, ReadStatistics, IEnumerable<Document>> read)
    {
        using var stream = OpenToDamage(file, statistics);
        using var bytes = MemberBytes.Take(stream, file, Expansion.Of(file));
        foreach (var document in read(file with { Packing = Packing.None, Member = bytes }, statistics))
            yield return document;
    }

    public override int Read(Span<byte> buffer)
    {
        try
        {
            // Some libraries read the head of the data when they open it.
            _unpacked ??= Unpack();
            _takenBefore = _taken.Position;
            var read = _unpacked.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
            _left -= read;
            return read;
        }
        catch (ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
        {
            throw ReadLimits.Exceeded(_file, $"needs a window of more than 2^{Packings.LargestWindowLog} bytes of memory to be unpacked");
        }
        catch (Exception e) when (e is not (ElasticException or InvalidDataException or OutOfMemoryException or OperationCanceledException))
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    // A part of a compressed file is reached by unpacking what comes before it.
    private Stream Unpack()
    {
        var skip = _file.Part?.Skip ?? 0;
        if (_file.Packing == Packing.None)
        {
            if (skip > 0)
                _packed.Position = skip;
            return _packed;
        }
        var unpacked = Expansion.Of(_file).Bound(_file, Packings.Open(_file.Packing, _taken));
        var passed = new byte[1 << 16];
        while (skip > 0 && unpacked.Read(passed, 0, (int)Math.Min(skip, passed.Length)) is var count and > 0)
            skip -= count;
        return unpacked;
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

    // Some libraries close what they read when it ends, and where it ended is still asked for.
    private sealed class Unclosed(Stream bytes) : ReadOnlyStream
    {
        private long _position;

        /// <summary>How many bytes the last reading gave that gave any.</summary>
        public int Last { get; private set; }

        public override long Position
        {
            get => _position;
            set => base.Position = value;
        }

        public override int Read(Span<byte> buffer)
        {
            var read = bytes.Read(buffer);
            _position += read;
            Last = read > 0 ? read : Last;
            return read;
        }
    }

    private sealed class ToDamage(PackedFile bytes, ReadStatistics statistics) : ReadOnlyStream
    {
        private long _position;

        public bool IsOver { get; private set; }

        public long NotUnpacked => bytes.NotUnpacked;

        // Bytes that were given, unpacked.
        public override long Position
        {
            get => _position;
            set => base.Position = value;
        }

        public override int Read(Span<byte> buffer)
        {
            if (IsOver)
                return 0;
            try
            {
                var read = bytes.Read(buffer);
                _position += read;
                return read;
            }
            catch (InvalidDataException e)
            {
                IsOver = true;
                bytes.CountRest(statistics, 0, e);
                return 0;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                bytes.Dispose();
            base.Dispose(disposing);
        }
    }
}
