namespace Elastic.Foundation.Tests;

public class InvariantTests
{
    [Fact]
    public void A_broken_invariant_says_what_is_broken()
    {
        var broken = Assert.Throws<InvariantException>(() => Invariant.Holds(1 > 2, $"round {7} has {0.5:0.00} of {"a"}"));
        Assert.Equal("round 7 has 0.50 of a", broken.Message);
    }

    [Fact]
    public void A_sentence_about_what_holds_is_never_put_together()
    {
        var asked = 0;
        Invariant.Holds(1 < 2, $"round {++asked}");
        Assert.Equal(0, asked);
        Assert.Throws<InvariantException>(() => Invariant.Holds(1 > 2, $"round {++asked}"));
        Assert.Equal(1, asked);
    }
}
