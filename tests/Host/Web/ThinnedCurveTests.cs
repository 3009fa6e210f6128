using Elastic.Host.Web;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Tests.Web;

/// <summary>Which rounds of a long run stay in a drawing.</summary>
public sealed class ThinnedCurveTests
{
    [Theory]
    [InlineData(2001)]
    [InlineData(10_000)]
    [InlineData(123_457)]
    public void A_long_curve_has_at_most_so_many_points_and_half_as_many_at_least_its_first_its_last_and_each_spike(int count)
    {
        var curve = Curve(count, (count / 3, 90), (count / 2, -1), (count / 2 + 1, double.NaN));
        var thinned = ThinnedCurve.Of(curve, 2000);
        Assert.InRange(thinned.Points.Count, 500, 2000);
        Assert.Equal((curve[0], curve[^1]), (thinned.Points[0], thinned.Points[^1]));
        Assert.All((int[])[count / 3, count / 2, count / 2 + 1], spike => Assert.Contains(curve[spike], thinned.Points));
        Assert.Equal(thinned.Points.OrderBy(p => p.Version), thinned.Points);
    }

    [Fact]
    public void Of_each_bucket_the_lowest_and_the_highest_loss_stay_on_trained_and_on_held_out_text()
    {
        var curve = Curve(10_000).ToArray();
        for (var i = 0; i < curve.Length; i += 5)
            curve[i] = curve[i] with { Score = new VersionScore(i, 3 + Math.Sin(i), 4) };
        var thinned = ThinnedCurve.Of(curve, 2000);
        Assert.InRange(thinned.Points.Count, 500, 2000);
        foreach (var bucket in curve.Chunk((int)thinned.BucketRounds))
        {
            var kept = thinned.Points.Where(p => p.Version / thinned.BucketRounds == bucket[0].Version / thinned.BucketRounds).ToList();
            foreach (var loss in (Func<CurvePoint, double?>[])[p => p.TrainLossNats, p => p.Score?.LossNats])
                Assert.Equal((bucket.Min(loss), bucket.Max(loss)), (kept.Min(loss), kept.Max(loss)));
        }
    }

    [Fact]
    public void A_curve_that_is_short_enough_stays_as_it_is()
    {
        var curve = Curve(2000);
        var thinned = ThinnedCurve.Of(curve, 2000);
        Assert.Equal((1L, curve), (thinned.BucketRounds, thinned.Points));
    }

    [Fact]
    public void As_a_run_goes_on_only_its_newest_bucket_changes()
    {
        var curve = Curve(10_040);
        var (before, after) = (ThinnedCurve.Of(curve[..10_000], 2000), ThinnedCurve.Of(curve, 2000));
        Assert.Equal(before.BucketRounds, after.BucketRounds);
        var newest = 9_999 / before.BucketRounds * before.BucketRounds;
        Assert.Equal(before.Points.Where(p => p.Version < newest), after.Points.Where(p => p.Version < newest));
    }

    [Fact]
    public void The_lowest_bound_is_kept_whatever_a_curve_is_like()
    {
        var curve = Curve(5000, (7, double.NaN), (8, double.PositiveInfinity)).Select(p => p with
        {
            // As far apart as versions can be.
            Version = p.Version * (int.MaxValue / 5000),
            Score = new VersionScore(p.Version, p.Version == 9 ? double.NaN : p.Version % 7, 1),
        }).ToArray();
        Assert.InRange(ThinnedCurve.Of(curve, ThinnedCurve.Fewest).Points.Count, 2, ThinnedCurve.Fewest);
    }

    /// <summary>Losses that go up and down, and some that are given.</summary>
    internal static CurvePoint[] Curve(int count, params (int Version, double Loss)[] spikes) =>
    [
        .. Enumerable.Range(0, count).Select(i => new CurvePoint(
            i, i * 512L, i == 0 ? null : spikes.Where(s => s.Version == i).Select(s => (double?)s.Loss).FirstOrDefault()
                ?? 3 + Math.Sin(i * 0.7) + 5.0 / i, null)),
    ];
}
