using System.Text;
using Elastic.Corpus.Build;

namespace Elastic.Corpus;

/// <summary>
/// Reads several series of files at once, so that each of them has come as far as the others at any time: bytes of text that were read
/// against bytes of the files. Sources that are packed, or marked up, in different ways do not end together. A run that mixes sources
/// begins when the first part of each is read. Whose turn it is follows from the files alone.
/// </summary>
internal static class ReadingTurns
{
    /// <summary>More are not read at once: each has an open file and a decoder of some megabytes.</summary>
    public const int MostSeries = 32;

    // Bytes (UTF-8) of a turn: far fewer than the 16 Mi tokens of a shard, far more than what a change of files costs.
    private const int Turn = 1 << 18;

    /// <summary>The documents of all files; those of one series in its order.</summary>
    public static IEnumerable<Document> Read(IReadOnlyList<SourceFile> files, ReadStatistics statistics)
    {
        var readings = new List<Reading>();
        try
        {
            foreach (var series in SeriesOf(files))
                readings.Add(new Reading(series, statistics));
            while (Next(readings) is { } reading)
            {
                foreach (var document in reading.Turn(Turn))
                    yield return document;
            }
        }
        finally
        {
            foreach (var reading in readings)
                reading.Dispose();
        }
    }

    /// <summary>
    /// Files that are read one after the other: the text of one source of a build, or one file of anything else. Of more than
    /// <see cref="MostSeries"/> neighbours are joined, so that all have about the same bytes.
    /// </summary>
    internal static IReadOnlyList<IReadOnlyList<SourceFile>> SeriesOf(IReadOnlyList<SourceFile> files)
    {
        var series = new List<List<SourceFile>>();
        foreach (var file in files)
        {
            if (series is [.., [.., var last] open] && IsSameSource(last, file))
                open.Add(file);
            else
                series.Add([file]);
        }
        if (series.Count <= MostSeries)
            return series;
        var (joined, before, all) = (new SortedDictionary<int, List<SourceFile>>(), (Int128)0, files.Sum(f => Math.Max(1, f.Length)));
        foreach (var one in series)
        {
            var number = (int)(before * MostSeries / all);
            if (joined.TryGetValue(number, out var more))
                more.AddRange(one);
            else
                joined[number] = one;
            before += one.Sum(f => Math.Max(1, f.Length));
        }
        return [.. joined.Values];
    }

    private static bool IsSameSource(SourceFile one, SourceFile other) =>
        one.IsValidation == other.IsValidation && TextSeries.SourceOf(one.Name) is { } source && source == TextSeries.SourceOf(other.Name);

    // The one that is farthest behind, the first of several.
    private static Reading? Next(List<Reading> readings)
    {
        Reading? next = null;
        foreach (var reading in readings)
        {
            if (!reading.IsOver && (next is null || reading.IsBehind(next)))
                next = reading;
        }
        return next;
    }

    private sealed class Reading(IReadOnlyList<SourceFile> files, ReadStatistics statistics) : IDisposable
    {
        private readonly long _bytes = files.Sum(f => Math.Max(1, f.Length));
        private readonly IEnumerator<Document> _documents = files.SelectMany(f => DocumentReader.Read(f, statistics)).GetEnumerator();
        private long _read;

        public bool IsOver { get; private set; }

        public bool IsBehind(Reading other) => (Int128)_read * other._bytes < (Int128)other._read * _bytes;

        // The pieces of a long line stay together.
        public IEnumerable<Document> Turn(int bytes)
        {
            var (end, isContinued) = (_read + bytes, false);
            while (_read < end || isContinued)
            {
                if (!_documents.MoveNext())
                {
                    IsOver = true;
                    yield break;
                }
                var document = _documents.Current;
                isContinued = document.IsContinued;
                _read += Encoding.UTF8.GetByteCount(document.Whole);
                yield return document;
            }
        }

        public void Dispose() => _documents.Dispose();
    }
}
