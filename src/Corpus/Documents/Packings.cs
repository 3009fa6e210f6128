using SharpCompress.Compressors;
using SharpCompress.Compressors.BZip2;
using SharpCompress.Compressors.Xz;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Elastic.Corpus;

/// <summary>How a file is compressed.</summary>
public enum Packing
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>.gz, of one member or several.</summary>
    Gzip,

    /// <summary>.zst, of one frame or several.</summary>
    Zstandard,

    /// <summary>.bz2, of one stream or several.</summary>
    Bzip2,

    /// <summary>.xz, of one stream or several.</summary>
    Xz,
}

/// <summary>The ways to compress a file. A new one is its name in <see cref="Packing"/> and a line here.</summary>
internal static class Packings
{
    // 2^31 bytes: the largest that Zstandard's programs write (--long=31). Only files that need it take that much memory.
    internal const int LargestWindowLog = 31;

    /// <summary>The ending of each, a shorter one for archives of the kind tar, and what unpacks it.</summary>
    public static IReadOnlyList<(Packing Packing, string Ending, string OfTar, Func<Stream, Stream> Open)> All { get; } =
    [
        (Packing.Gzip, ".gz", ".tgz", bytes => new GzipFile(bytes)),
        (Packing.Zstandard, ".zst", ".tzst", Zstandard),
        (Packing.Bzip2, ".bz2", ".tbz2", Bzip2),
        (Packing.Xz, ".xz", ".txz", Xz),
    ];

    /// <summary>A name without the ending of its packing, and the packing.</summary>
    public static (string Inner, Packing Packing) Of(string path)
    {
        foreach (var (packing, ending, ofTar, _) in All)
        {
            if (path.EndsWith(ofTar, StringComparison.OrdinalIgnoreCase))
                return (path[..^ofTar.Length] + ".tar", packing);
            if (path.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
                return (path[..^ending.Length], packing);
        }
        return (path, Packing.None);
    }

    /// <summary>The stream that unpacks such bytes.</summary>
    public static Stream Open(Packing packing, Stream bytes) => All.First(p => p.Packing == packing).Open(bytes);

    private static JoinedStreams Bzip2(Stream bytes) => new(bytes, "BZh"u8.ToArray(), padding: 0,
        stream => BZip2Stream.Create(stream, CompressionMode.Decompress, decompressConcatenated: false));

    private static JoinedStreams Xz(Stream bytes) =>
        new(bytes, [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], padding: 4, stream => new XZStream(stream));

    private static DecompressionStream Zstandard(Stream bytes)
    {
        var unpacked = new DecompressionStream(bytes);
        unpacked.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestWindowLog);
        return unpacked;
    }
}
