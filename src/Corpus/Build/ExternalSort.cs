using System.Runtime.InteropServices;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// Sorts more records than memory holds: sorted runs on the disk, merged when they are read; many runs first to fewer longer ones, so that
/// neither open files nor memory grow with the records. Records are of a fixed size, and equal ones keep no order of their own, so compare
/// everything that counts. Not thread-safe.
/// </summary>
/// <typeparam name="T">The records.</typeparam>
public sealed class ExternalSort<T> : IDisposable where T : unmanaged
{
    /// <summary>
    /// Bytes of records that are sorted in memory at once, and then of what is read of the runs. Larger runs are hardly faster, and a
    /// corpus of gigabytes would take more memory than one of megabytes.
    /// </summary>
    public const int DefaultRunBytes = 16 << 20;

    /// <summary>
    /// Runs that are merged at once: each is an open file, of which 64 KiB are in memory then. One pass more over 4 GiB of records, two
    /// over a TiB.
    /// </summary>
    public const int DefaultMostMerged = 256;

    // Of one run.
    private const int MostReadBytes = 1 << 20;

    // Most sorts of a small build have few records.
    private const int FirstRecords = 1024;

    private readonly string _folder;
    private readonly Comparison<T> _order;
    private readonly CancellationToken _cancel;
    private readonly int _most, _mostMerged;
    private T[] _run;
    private readonly List<string> _runs = [];
    private int _count;

    /// <param name="folder">Takes the runs; made where it is missing, and emptied of them at the end.</param>
    /// <param name="order">What comes first.</param>
    /// <param name="cancel">Ends it: looked at with each record.</param>
    /// <param name="runBytes">See <see cref="DefaultRunBytes"/>.</param>
    /// <param name="mostMerged">See <see cref="DefaultMostMerged"/>; no bit of the result depends on it.</param>
    public ExternalSort(
        string folder, Comparison<T> order, CancellationToken cancel, int runBytes = DefaultRunBytes, int mostMerged = DefaultMostMerged)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostMerged, 2);
        Directory.CreateDirectory(folder);
        (_folder, _order, _cancel, _mostMerged) = (folder, order, cancel, mostMerged);
        _most = Math.Max(1, runBytes / Marshal.SizeOf<T>());
        _run = new T[Math.Min(_most, FirstRecords)];
    }

    /// <summary>Takes one more record.</summary>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public void Add(T record)
    {
        _cancel.ThrowIfCancellationRequested();
        if (_count == _most)
            WriteRun();
        else if (_count == _run.Length)
            Array.Resize(ref _run, (int)Math.Min(_most, 2L * _run.Length));
        _run[_count++] = record;
    }

    /// <summary>All records in ascending order. To be called once, after the last one was added.</summary>
    /// <exception cref="OperationCanceledException">It was ended; also while the records are taken.</exception>
    public IEnumerable<T> Sorted()
    {
        if (_runs.Count == 0)
        {
            _run.AsSpan(0, _count).Sort(_order);
            return Stopping(_run.Take(_count));
        }
        // What is read of the runs takes the place of the last one.
        WriteRun();
        _run = [];
        // The first ones are the shortest. As few as leave the most for the end, so that few records are copied.
        while (_runs.Count > _mostMerged)
            Join(Math.Min(_mostMerged, _runs.Count - _mostMerged + 1));
        return Stopping(Merged(_runs));
    }

    /// <summary>Deletes the runs.</summary>
    public void Dispose() => _runs.ForEach(File.Delete);

    private void WriteRun()
    {
        _run.AsSpan(0, _count).Sort(_order);
        using var file = NewRun(bufferBytes: 0);
        file.Write(MemoryMarshal.AsBytes(_run.AsSpan(0, _count)));
        _count = 0;
    }

    // Makes one run of the first ones; it comes last.
    private void Join(int count)
    {
        var joined = _runs[..count];
        using (var file = NewRun(MostReadBytes))
        {
            foreach (var record in Stopping(Merged(joined)))
                file.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in record)));
        }
        joined.ForEach(File.Delete);
        _runs.RemoveRange(0, count);
    }

    private FileStream NewRun(int bufferBytes)
    {
        var path = Path.Combine(_folder, $"{Guid.NewGuid():N}.run");
        _runs.Add(path);
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferBytes);
    }

    private IEnumerable<T> Stopping(IEnumerable<T> records)
    {
        foreach (var record in records)
        {
            _cancel.ThrowIfCancellationRequested();
            yield return record;
        }
    }

    private IEnumerable<T> Merged(List<string> runs)
    {
        var bytes = Math.Min(DefaultRunBytes / runs.Count, MostReadBytes);
        var sources = runs.ConvertAll(path => Read(path, bytes).GetEnumerator());
        try
        {
            var next = new PriorityQueue<IEnumerator<T>, T>(Comparer<T>.Create(_order));
            foreach (var source in sources.Where(s => s.MoveNext()))
                next.Enqueue(source, source.Current);
            while (next.TryDequeue(out var source, out var record))
            {
                yield return record;
                if (source.MoveNext())
                    next.Enqueue(source, source.Current);
            }
        }
        finally
        {
            sources.ForEach(s => s.Dispose());
        }
    }

    private static IEnumerable<T> Read(string path, int bytes)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var size = Marshal.SizeOf<T>();
        var buffer = new byte[Math.Max(1, bytes / size) * size];
        while (file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false) is var count and > 0)
        {
            if (count % size != 0)
                throw new ElasticException($"{path} was cut short while it was used: give the same command again");
            for (var i = 0; i < count; i += size)
                yield return MemoryMarshal.Read<T>(buffer.AsSpan(i, size));
        }
    }
}
