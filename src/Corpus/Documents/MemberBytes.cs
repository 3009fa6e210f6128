using Elastic.Foundation;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Corpus;

/// <summary>
/// Bytes that are a part of a file, or what becomes of it unpacked: in memory, or in a temporary file where they are many. Can be read in
/// any order and as often as needed, until they are disposed of.
/// </summary>
internal sealed class MemberBytes : IDisposable
{
    /// <summary>Bytes that are held in memory.</summary>
    public const int MostInMemory = 8 << 20;

    private readonly MemoryStream _memory;
    private readonly FileStream? _file;

    private MemberBytes(MemoryStream memory, FileStream? file, SourceFile outer, Expansion expansion) =>
        (_memory, _file, OuterName, Expansion, Depth) = (memory, file, outer.OuterName, expansion, 1 + (outer.Member?.Depth ?? 0));

    /// <summary>How many files are around them.</summary>
    public int Depth { get; }

    /// <summary>What the file on the disk may still become.</summary>
    public Expansion Expansion { get; }

    /// <summary>The name of the file on the disk that they are from.</summary>
    public string OuterName { get; }

    /// <summary>They end at damage of what they were unpacked from, which is counted.</summary>
    public bool IsDamaged { get; private init; }

    /// <summary>How many there are.</summary>
    public long Length => _file?.Length ?? _memory.Length;

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="outer">What it is a part of.</param>
    /// <param name="expansion">What the file on the disk may still become.</param>
    public static MemberBytes Take(Stream stream, SourceFile outer, Expansion expansion)
    {
        var memory = new MemoryStream();
        FileStream? file = null;
        try
        {
            var buffer = new byte[1 << 16];
            while (stream.Read(buffer) is var count and > 0)
            {
                if (file is null && memory.Length + count > MostInMemory)
                {
                    file = Temporary();
                    memory.WriteTo(file);
                    memory.SetLength(0);
                }
                ((Stream?)file ?? memory).Write(buffer.AsSpan(0, count));
            }
            file?.Flush();
            return new MemberBytes(memory, file, outer, expansion) { IsDamaged = PackedFile.IsDamaged(stream) };
        }
        catch (Exception e)
        {
            try
            {
                file?.Dispose();
            }
            catch (IOException)
            {
                // What is left in its buffer does not fit, either: the first failure is told.
            }
            if (DiskSpace.IsExhausted(e))
                throw new ElasticException($"what is large in {outer.Shown} is unpacked to {Path.GetTempPath()}, and that disk is full: "
                    + "free space there, or set TMPDIR to a folder on another disk", e);
            throw;
        }
    }

    /// <summary>Bytes that are in memory already.</summary>
    public static MemberBytes Of(ReadOnlySpan<byte> bytes, SourceFile outer, Expansion expansion)
    {
        var memory = new MemoryStream();
        memory.Write(bytes);
        return new MemberBytes(memory, null, outer, expansion);
    }

    /// <summary>Opens them for one pass.</summary>
    public Stream OpenRead() => _file is null
        ? new MemoryStream(_memory.GetBuffer(), 0, (int)_memory.Length, writable: false)
        : new BufferedStream(new Pass(_file.SafeFileHandle, _file.Length), 1 << 16);

    public void Dispose() => _file?.Dispose();

    // For nobody else's eyes. Where a file may lose its name while it is open, it does so at once, and a killed process leaves nothing.
    private static FileStream Temporary()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.Delete,
            Options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(Path.Combine(Path.GetTempPath(), $"elastic-{Guid.NewGuid():N}.unpacked"), options);
        if (!OperatingSystem.IsWindows())
            File.Delete(file.Name);
        return file;
    }

    /// <summary>A position of its own in the file.</summary>
    private sealed class Pass(SafeFileHandle file, long length) : ReadOnlyStream
    {
        private long _position;

        public override bool CanSeek => true;

        public override long Length => length;

        public override long Position
        {
            get => _position;
            set => _position = value >= 0 ? value : throw new IOException("the position is before the beginning");
        }

        public override int Read(Span<byte> buffer)
        {
            var read = RandomAccess.Read(file, buffer, _position);
            _position += read;
            return read;
        }

        public override long Seek(long offset, SeekOrigin origin) =>
            Position = offset + (origin == SeekOrigin.Begin ? 0 : origin == SeekOrigin.Current ? _position : length);
    }
}
