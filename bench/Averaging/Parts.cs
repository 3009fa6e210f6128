using System.Diagnostics;
using System.Security.Cryptography;
using Elastic.Actors.Work;
using Elastic.Kernels;

namespace Elastic.Bench.Mean;

/// <summary>One kind of work, and how many bytes of it a node has to do.</summary>
internal sealed record KindOfWork(string Name, string What, Func<Traffic, int, long> Bytes);

/// <summary>The kinds of work that an averaging consists of, done one at a time and as plainly as can be.</summary>
internal static class Parts
{
    private const int PieceBytes = 256 << 10, ChunkBytes = 16 << 20;

    public static readonly IReadOnlyList<KindOfWork> All =
    [
        new("wire", "plain TCP streams, memory to memory", (t, i) => t.Receives(i)),
        new("hash", "SHA-256 of what is received, read and made", (t, i) => t.Hashes(i)),
        new("sum", "the mean of the contributions", (t, i) => t.Sums(i)),
        new("read", "files: peers read what they send, and each its own", (t, i) => t.Receives(i) + t.ReadsOwn(i)),
        new("write", "files: the new version", (t, i) => t.Writes(i)),
    ];

    /// <summary>Does a part on as many threads as there are processors.</summary>
    /// <param name="folder">Of the node; "write" leaves files there whose names end in .part.</param>
    /// <param name="replicas">Contributions that are summed together.</param>
    public static void Do(string name, long bytes, string folder, int replicas)
    {
        var threads = Environment.ProcessorCount;
        Parallel.For(0, threads, thread =>
        {
            var mine = bytes / threads;
            switch (name)
            {
                case "hash":
                    Hash(mine);
                    break;
                case "sum":
                    Sum(mine, replicas);
                    break;
                case "read":
                    Read(mine, folder);
                    break;
                case "write":
                    Write(mine, folder);
                    break;
                default:
                    throw new UnreachableException(name);
            }
        });
    }

    private static void Hash(long bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var buffer = new FloatBuffer(ChunkBytes / sizeof(float));
        for (long at = 0; at < bytes; at += PieceBytes)
            hash.AppendData(buffer.GetSpan().Slice((int)(at % ChunkBytes), PieceBytes));
    }

    private static void Sum(long bytes, int replicas)
    {
        using var into = new FloatBuffer(ChunkBytes / sizeof(float));
        var contributions = Enumerable.Range(0, replicas).Select(_ => new FloatBuffer(into.Floats.Length)).ToList();
        for (var left = bytes / replicas / sizeof(float); left > 0; left -= into.Floats.Length)
        {
            var count = (int)Math.Min(left, into.Floats.Length);
            Averaging.Mean([.. contributions.Select(c => (ReadOnlyMemory<float>)c.Floats[..count])], into.Floats.Span[..count]);
        }

        contributions.ForEach(c => ((IDisposable)c).Dispose());
    }

    private static void Read(long bytes, string folder)
    {
        var buffer = new byte[PieceBytes];
        while (bytes > 0)
            foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            {
                using var file = File.OpenHandle(path);
                for (long at = 0; bytes > 0 && RandomAccess.Read(file, buffer, at) is > 0 and var read; at += read)
                    bytes -= read;
            }
    }

    private static void Write(long bytes, string folder)
    {
        var buffer = new byte[PieceBytes];
        while (bytes > 0)
        {
            using var file = File.OpenHandle(Path.Combine(folder, $"{Guid.NewGuid():N}.part"), FileMode.CreateNew, FileAccess.Write);
            for (var at = 0; at < ChunkBytes && bytes > 0; at += PieceBytes, bytes -= PieceBytes)
                RandomAccess.Write(file, buffer, at);
        }
    }
}
