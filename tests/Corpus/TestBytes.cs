using System.IO.Compression;

namespace Elastic.Corpus.Tests;

/// <summary>Bytes that tests make files of.</summary>
internal static class TestBytes
{
    public static byte[] Gzip(byte[] bytes)
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return memory.ToArray();
    }
}
