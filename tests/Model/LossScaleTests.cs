using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;

namespace Elastic.Model.Tests;

public class LossScaleTests
{
    [Fact]
    public void It_begins_with_65536_where_its_vector_is_zeros()
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        Assert.Equal(new LossScale(16, 0, 0), LossScale.Read(vectors));
        Assert.Equal(65_536, LossScale.Read(vectors).Value);
        Assert.Equal(4, vectors[VectorSet.LossScale].Length);
    }

    [Fact]
    public void It_doubles_after_two_thousand_clean_steps_and_not_before()
    {
        var scale = new LossScale(16, 0, 3);
        for (var step = 1; step < 2000; step++)
        {
            scale = scale.AfterCleanStep();
            Assert.Equal(new LossScale(16, step, 3), scale);
        }
        Assert.Equal(new LossScale(17, 0, 3), scale.AfterCleanStep());
        Assert.Equal(new LossScale(64, 0, 0), new LossScale(64, 1999, 0).AfterCleanStep());
    }

    [Fact]
    public void An_overflow_halves_it_counts_the_step_and_starts_the_clean_steps_anew()
    {
        Assert.Equal(new LossScale(15, 0, 4), new LossScale(16, 1234, 3).AfterOverflow());
        Assert.Null(new LossScale(0, 5, 3).AfterOverflow());
    }

    [Fact]
    public void It_is_what_was_written_however_many_steps_were_skipped()
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        LossScale[] scales = [new(0, 1999, (1L << 20) - 1), new(64, 0, 1L << 20), new(16, 3, (1L << 39) + 5)];
        foreach (var scale in scales)
        {
            scale.Write(vectors);
            Assert.Equal(scale, LossScale.Read(vectors));
        }
    }

    [Theory]
    [InlineData(float.NaN, 0, 0)]
    [InlineData(0.5f, 0, 0)]
    [InlineData(1e30f, 0, 0)]
    [InlineData(-17, 0, 0)]
    [InlineData(49, 0, 0)]
    [InlineData(0, 2000, 0)]
    [InlineData(0, -1, 0)]
    [InlineData(0, 0, -1)]
    public void A_stored_vector_that_is_none_is_refused(float exponent, float clean, float skipped)
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        vectors.CopyFrom(VectorSet.LossScale, 0, [exponent, clean, skipped, 0]);
        Assert.Equal(
            "the stored loss scale of a replica is none: its inner state is damaged, or another program wrote it",
            Assert.Throws<ElasticException>(() => LossScale.Read(vectors)).Message);
    }
}
