using Elastic.Messages.Settings;
using Elastic.Model.Optimization;

namespace Elastic.Model.Tests;

/// <summary>Schedules against the formulas of their papers. Those that PyTorch has are in NumericsTests.</summary>
public class LearningRateTests
{
    [Fact]
    public void Inverse_square_root_is_the_formula_of_Vaswani_et_al()
    {
        const double width = 512, warmup = 4000;
        var settings = Samples.Optimizer() with
        {
            Schedule = LearningRateSchedule.InverseSquareRoot,
            LearningRate = Math.Pow(width * warmup, -0.5),
            WarmupSteps = (int)warmup,
        };
        foreach (var t in new double[] { 1, 2, 1000, 3999, 4000, 4001, 16_000, 100_000, 10_000_000 })
        {
            var expected = Math.Pow(width, -0.5) * Math.Min(Math.Pow(t, -0.5), t * Math.Pow(warmup, -1.5));
            Assert.Equal(1, LearningRate.At((long)t - 1, 100_000, settings) / expected, 1e-12);
        }
    }

    [Theory]
    [InlineData(LearningRateDecay.Linear, 0.5)]
    [InlineData(LearningRateDecay.SquareRoot, 0.29289321881345254)]                      // 1 - sqrt(1/2)
    public void Warmup_stable_decay_stays_at_the_peak_and_falls_over_its_share(LearningRateDecay shape, double half)
    {
        var settings = Stable(shape);
        Assert.Equal(0.25, LearningRate.At(0, 100, settings));
        Assert.All(Enumerable.Range(3, 78), step => Assert.Equal(1, LearningRate.At(step, 100, settings), 1e-15));
        Assert.Equal(0.2 + 0.8 * half, LearningRate.At(90, 100, settings), 1e-15);
        Assert.Equal(0.2, LearningRate.At(100, 100, settings), 1e-15);
        var fall = Enumerable.Range(80, 20).Select(step => LearningRate.At(step, 100, settings)).ToList();
        Assert.Equal(fall.OrderDescending(), fall);
        Assert.Equal(fall.Distinct().Count(), fall.Count);
    }

    [Theory]
    [InlineData(0.0, 99, 1)]                                                             // no fall at all
    [InlineData(1.0, 52, 0.6)]                                                           // from the end of the warm-up on: half of 96
    [InlineData(1.0, 4, 1)]
    public void Its_share_may_be_nothing_or_all(double share, long step, double expected)
        => Assert.Equal(expected, LearningRate.At(step, 100, Stable(LearningRateDecay.Linear) with { DecayShare = share }), 1e-15);

    [Theory]
    [InlineData(LearningRateSchedule.Constant)]
    [InlineData(LearningRateSchedule.InverseSquareRoot)]
    [InlineData(LearningRateSchedule.WarmupStableDecay)]
    [InlineData(LearningRateSchedule.Linear)]
    [InlineData(LearningRateSchedule.Cosine)]
    public void The_length_of_a_run_shows_from_the_step_on_that_the_settings_name(LearningRateSchedule schedule)
    {
        var settings = Stable(LearningRateDecay.Linear) with { Schedule = schedule };
        var (from, longer) = (Math.Min(100, settings.FirstStepOfLength(100)), settings.FirstStepOfLength(150));
        Assert.True(longer >= from);
        for (var step = 0L; step < from; step++)
            Assert.Equal(LearningRate.At(step, 150, settings), LearningRate.At(step, 100, settings));
        // The first step of a fall has the peak, the next one less.
        for (var step = from + 1; step < 100; step++)
            Assert.NotEqual(LearningRate.At(step, 150, settings), LearningRate.At(step, 100, settings));
    }

    private static OptimizerSettings Stable(LearningRateDecay shape) => Samples.Optimizer() with
    {
        Schedule = LearningRateSchedule.WarmupStableDecay,
        LearningRate = 1,
        MinimumLearningRate = 0.2,
        WarmupSteps = 4,
        DecayShare = 0.2,
        DecayShape = shape,
    };
}
