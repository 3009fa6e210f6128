using CsCheck;

namespace Elastic.Foundation.Tests;

public sealed class BackoffTests
{
    private static readonly Backoff Pause = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    [Theory]
    [InlineData(0, 100)]
    [InlineData(1, 200)]
    [InlineData(4, 1600)]
    [InlineData(5, 2000)]
    [InlineData(int.MaxValue, 2000)]
    public void A_pause_doubles_from_the_first_to_the_longest_and_chance_takes_off_up_to_half(int failures, int milliseconds)
    {
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Pause.After(failures, 1));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds) / 2, Pause.After(failures, 0));
    }

    [Fact]
    public void Another_share_can_be_left_to_chance_or_none()
    {
        Assert.Equal(TimeSpan.FromMilliseconds(75), (Pause with { Jitter = 0.25 }).After(0, 0));
        Assert.Equal(TimeSpan.FromMilliseconds(100), (Pause with { Jitter = 0 }).After(0, 0));
    }

    [Fact]
    public void It_is_never_longer_than_the_longest_nor_shorter_than_half_the_first() =>
        Gen.Select(Gen.Int[0, 100], Gen.Double[0, 1]).Sample((failures, chance) => Pause.After(failures, chance) is var pause
            && pause >= Pause.First / 2 && pause <= Pause.Longest && Pause.After(failures + 1, chance) >= pause);

    [Fact]
    public void Two_processes_that_failed_together_seldom_wait_equally_long() =>
        Assert.True(Enumerable.Range(0, 100).Select(_ => Pause.After(10)).Distinct().Count() > 90);
}
