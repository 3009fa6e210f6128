using Elastic.Storage;

namespace Elastic.Host.Web;

/// <summary>
/// A long run's curve with few enough points for a page. Rounds are put into buckets, as few in each as the bound allows; of a bucket stay
/// the lowest and the highest train loss and held-out loss, and the first that is no number, so that no spike is lost. A bucket's size is a
/// power of two and it begins at a multiple of that: what is kept depends on the points alone, and as the run goes on, only the newest
/// bucket changes, until all buckets double.
/// </summary>
/// <param name="Points">Oldest first; the first and the last are the curve's.</param>
/// <param name="BucketRounds">1 where all points are there.</param>
internal sealed record ThinnedCurve(IReadOnlyList<CurvePoint> Points, long BucketRounds)
{
    /// <summary>The lowest bound: one bucket keeps at most eight points.</summary>
    public const int Fewest = 16;

    /// <param name="points">In the order of their versions.</param>
    /// <param name="most">At least <see cref="Fewest"/>.</param>
    public static ThinnedCurve Of(IReadOnlyList<CurvePoint> points, int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, Fewest);
        if (points.Count <= most)
            return new ThinnedCurve(points, 1);
        var rounds = 2L;
        while (points.Count > rounds * most)                           // each bucket would keep a point
            rounds *= 2;
        while (true)
        {
            var kept = Kept(points, rounds);
            if (kept.Count <= most)
                return new ThinnedCurve([.. kept.Select(i => points[i])], rounds);
            rounds *= 2;
        }
    }

    private static SortedSet<int> Kept(IReadOnlyList<CurvePoint> points, long rounds)
    {
        var kept = new SortedSet<int> { 0, points.Count - 1 };
        for (int from = 0, to; from < points.Count; from = to)
        {
            to = from + 1;
            while (to < points.Count && points[to].Version / rounds == points[from].Version / rounds)
                to++;
            KeepExtremes(i => points[i].TrainLossNats, from, to, kept);
            KeepExtremes(i => points[i].Score?.LossNats, from, to, kept);
        }

        return kept;
    }

    private static void KeepExtremes(Func<int, double?> loss, int from, int to, SortedSet<int> kept)
    {
        var (lowest, highest, notANumber) = (-1, -1, -1);
        for (var i = from; i < to; i++)
        {
            if (loss(i) is not { } nats)
                continue;
            if (!double.IsFinite(nats))
            {
                notANumber = notANumber < 0 ? i : notANumber;
                continue;
            }

            lowest = lowest < 0 || nats < loss(lowest) ? i : lowest;
            highest = highest < 0 || nats > loss(highest) ? i : highest;
        }

        kept.UnionWith(((int[])[lowest, highest, notANumber]).Where(i => i >= 0));
    }
}
