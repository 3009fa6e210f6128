using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Model.Exchange;

/// <summary>
/// A safetensors file. Opening it reads the header and nothing else; elements are read where they are asked for, straight into the memory
/// of whoever asks. The file is not mapped: one that somebody cuts short would end a process that reads it through a mapping, where a read
/// comes back short, and the pages of a mapping would count as this process's memory. Any number of threads may read at once.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    // Elements of a 16-bit type that are widened at once: they stay in the cache.
    private const int Piece = 1 << 15;

    private readonly SafeFileHandle _file;
    private readonly long _data;

    private SafetensorsFile(
        string path, SafeFileHandle file, long data, IReadOnlyList<TensorEntry> tensors, IReadOnlyDictionary<string, string> texts) =>
        (Path, _file, _data, Tensors, Texts) = (path, file, data, tensors, texts);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Its tensors, in the order of their data.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>The short texts of its metadata.</summary>
    public IReadOnlyDictionary<string, string> Texts { get; }

    /// <summary>Reads the header.</summary>
    /// <exception cref="ElasticException">The file is missing, not readable, or no safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle? file = null;
        try
        {
            file = RegularFile.Open(path, out var length);
            Span<byte> start = stackalloc byte[SafetensorsHeader.LengthBytes];
            var json = new byte[SafetensorsHeader.LengthOf(start[..ReadUpTo(file, start, 0)], length)];
            if (ReadUpTo(file, json, SafetensorsHeader.LengthBytes) < json.Length)
                throw new FormatException("it became shorter while it was read");
            var data = SafetensorsHeader.LengthBytes + json.Length;
            var texts = new Dictionary<string, string>(StringComparer.Ordinal);
            return new SafetensorsFile(path, file, data, SafetensorsHeader.Parse(json, length - data, texts), texts);
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw e is FormatException
                ? new ElasticException($"{path} is no whole safetensors file: {e.Message}; get it again, or name another one", e)
                : Unreadable(path, e);
        }
    }

    /// <summary>Reads elements of a tensor as fp32.</summary>
    /// <param name="first">The first element.</param>
    /// <exception cref="ElasticException">The tensor's type is none of F32, BF16 and F16; or the file is not readable any more.</exception>
    public void Read(TensorEntry tensor, long first, Span<float> into)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (first < 0 || first + into.Length > tensor.Count)
            throw new ArgumentOutOfRangeException(nameof(first), $"[{first}, {first + into.Length}) is not inside [0, {tensor.Count})");
        if (TensorType.Find(tensor.Type) is not { } type)
            throw new ElasticException($"{tensor.Name} in {Path} is {tensor.Type}: only F32, BF16 and F16 are read");
        var at = _data + tensor.Begin + first * TensorType.BytesOf(type);
        if (type == ElementType.Float32)
        {
            ReadBytes(MemoryMarshal.AsBytes(into), at);
            return;
        }

        Span<byte> piece = new byte[Math.Min(Piece, into.Length) * sizeof(ushort)];
        for (var done = 0; done < into.Length; done += Piece)
        {
            var count = Math.Min(Piece, into.Length - done);
            ReadBytes(piece[..(count * sizeof(ushort))], at + (long)done * sizeof(ushort));
            NarrowFloats.Widen(type, piece, into.Slice(done, count));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void ReadBytes(Span<byte> into, long at)
    {
        try
        {
            if (ReadUpTo(_file, into, at) < into.Length)
                throw new ElasticException($"{Path} became shorter while it was read: get it again");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(Path, e);
        }
    }

    // Bytes read; less than asked for only at the end of the file.
    private static int ReadUpTo(SafeFileHandle file, Span<byte> into, long at)
    {
        var read = 0;
        while (read < into.Length && RandomAccess.Read(file, into[read..], at + read) is var count and > 0)
            read += count;
        return read;
    }

    private static ElasticException Unreadable(string path, Exception e) =>
        new($"{path} cannot be read ({e.Message.TrimEnd('.')}): mend that, or name another file", e);
}
