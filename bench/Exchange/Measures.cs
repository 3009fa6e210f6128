using System.Diagnostics;
using System.Globalization;
using System.IO.MemoryMappedFiles;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Bench.Exchange;

/// <summary>What is measured, each in a process of its own: only so is the peak of its memory known.</summary>
internal static class Measures
{
    /// <summary>By the name that the child process is started with.</summary>
    public static IReadOnlyDictionary<string, Func<string, double>> All { get; } = new Dictionary<string, Func<string, double>>
    {
        ["write fp32"] = folder => Write(folder, ElementType.Float32),
        ["open"] = Open,
        ["load"] = Load,
        ["fingerprint"] = Fingerprint,
        ["copy by mapping"] = CopyByMapping,
        ["copy by reading"] = CopyByReading,
        ["write bf16"] = folder => Write(folder, ElementType.BFloat16),
        ["load bf16"] = Load,
    };

    /// <summary>254 million parameters, 1.02 GB as fp32; a smaller one for tests.</summary>
    public static ModelSettings Model(bool isTiny) => isTiny
        ? ModelSettings.Defaults with { Layers = 1, Heads = 2, Width = 16, Context = 16, Vocabulary = 97 }
        : ModelSettings.Defaults with { Layers = 16, Heads = 16, Width = 1024, Context = 1024, Vocabulary = 50257 };

    /// <summary>The most memory that the process has had, in bytes; 0 where the system does not say.</summary>
    public static long PeakBytes() => !File.Exists("/proc/self/status") ? 0 : File.ReadLines("/proc/self/status")
        .Where(l => l.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Select(l => 1024 * long.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).Single();

    private static double Write(string folder, ElementType type)
    {
        var model = Model(Path.GetFileName(folder) == "tiny");
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        foreach (var segment in vectors.Layout.Segments)
            for (long at = 0; at < segment.Count; at += 1 << 20)
                vectors.Floats(VectorSet.Parameters, segment.Offset + at, (int)Math.Min(1 << 20, segment.Count - at)).Fill(0.5f);
        if (Directory.Exists(folder))
            Directory.Delete(folder, true);
        return Seconds(() => ModelFolderWriter.Write(folder, vectors, model, type, 0, new Dictionary<string, byte[]>()));
    }

    private static double Open(string folder) => Seconds(() => ModelFolder.Open(folder).Dispose());

    private static double Load(string folder) => Seconds(() =>
    {
        using var opened = ModelFolder.Open(folder);
        opened.Load().Dispose();
    });

    private static double Fingerprint(string folder) => Seconds(() =>
    {
        using var opened = ModelFolder.Open(folder);
        _ = opened.Fingerprint();
    });

    // The two ways of getting the bytes of a file into memory of one's own, as bounds: neither looks at what it copies.
    private static unsafe double CopyByMapping(string folder) => Copy(folder, (path, length, into) =>
    {
        using var mapping = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        using var view = mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        byte* from = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref from);
        try
        {
            ForEachPiece(length, (first, count) => Buffer.MemoryCopy(from + first, (byte*)into + first, count, count));
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    });

    private static unsafe double CopyByReading(string folder) => Copy(folder, (path, length, into) =>
    {
        using var file = File.OpenHandle(path);
        ForEachPiece(length, (first, count) => RandomAccess.Read(file, new Span<byte>((byte*)into + first, (int)count), first));
    });

    private static unsafe double Copy(string folder, Action<string, long, nint> copy)
    {
        var path = Path.Combine(folder, "model.safetensors");
        var length = new FileInfo(path).Length;
        return Seconds(() =>
        {
            using var into = new NativeBuffer(length);
            copy(path, length, (nint)into.Floats);
        });
    }

    private static void ForEachPiece(long length, Action<long, long> copy)
    {
        const long piece = 16 << 20;
        Parallel.For(0L, (length + piece - 1) / piece, index => copy(index * piece, Math.Min(piece, length - index * piece)));
    }

    private static double Seconds(Action action)
    {
        var time = Stopwatch.StartNew();
        action();
        return time.Elapsed.TotalSeconds;
    }
}
