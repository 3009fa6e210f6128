using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Storage;

namespace Elastic.Host.Web;

/// <summary>
/// Scores of runs by source. However often a curve is asked for, each score is read from the observations once: of what was read before
/// only the newer ones are asked for. Thread-safe.
/// </summary>
/// <param name="observed">Reads observations.</param>
/// <param name="most">Scores of a run that are kept, the newest: those of this many versions, of a few sources.</param>
/// <param name="mostRuns">Runs that are remembered.</param>
internal sealed class SourceScores(
    Func<ObservationQuery, CancellationToken, Task<IReadOnlyList<StoredObservation>>> observed, int most = 10_000, int mostRuns = 32)
{
    private static readonly IReadOnlyList<Type> Kinds = [typeof(ScoreOfSource)];

    private readonly Dictionary<RunId, Known> _known = [];             // guarded by itself

    /// <summary>The scores of versions after one, by version; of a source that was scored more than once, the newest score.</summary>
    public async Task<ILookup<int, ScoreOfSource>> AfterAsync(RunId run, long version, CancellationToken cancel)
    {
        Known? known;
        lock (_known)
        {
            if (!_known.TryGetValue(run, out known))
            {
                if (_known.Count >= mostRuns)
                    _known.Clear();
                _known[run] = known = new Known();
            }
        }

        await known.Turn.WaitAsync(cancel);
        try
        {
            var found = await observed(
                new ObservationQuery(known.Read, run, Kinds, most, Newest: known.Read == 0), cancel);
            while (found.Count > 0)
            {
                known.Add(found, most);
                if (found.Count < most)
                    break;
                found = await observed(new ObservationQuery(known.Read, run, Kinds, most), cancel);
            }

            return known.Scores.Values.Where(s => s.Version > version).ToLookup(s => s.Version);
        }
        finally
        {
            known.Turn.Release();
        }
    }

    private sealed class Known
    {
        // One at a time: who comes meanwhile finds what was read.
        public SemaphoreSlim Turn { get; } = new(1);

        /// <summary>The id of the newest observation that was read.</summary>
        public long Read { get; private set; }

        /// <summary>The scores by version, then by name of the source.</summary>
        public SortedDictionary<(int Version, string Source), ScoreOfSource> Scores { get; } = new(
            Comparer<(int Version, string Source)>.Create((a, b) => a.Version != b.Version
                ? a.Version.CompareTo(b.Version) : string.CompareOrdinal(a.Source, b.Source)));

        public void Add(IReadOnlyList<StoredObservation> found, int most)
        {
            foreach (var score in found.Select(o => o.What).OfType<ScoreOfSource>().Where(s => s.Targets > 0))
                Scores[(score.Version, score.Source)] = score;
            Read = found[^1].Id;
            foreach (var old in Scores.Keys.Take(Math.Max(0, Scores.Count - most)).ToList())
                Scores.Remove(old);
        }
    }
}
