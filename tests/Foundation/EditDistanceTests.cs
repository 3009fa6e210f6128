namespace Elastic.Foundation.Tests;

public sealed class EditDistanceTests
{
    [Theory]
    [InlineData("", "", 0)]
    [InlineData("", "abc", 3)]
    [InlineData("abc", "", 3)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("Run", "rUN", 0)]
    [InlineData("rnu", "run", 1)]
    [InlineData("tyni", "tiny", 2)]
    public void Letters_that_are_wrong_are_counted(string a, string b, int distance)
    {
        Assert.Equal(distance, EditDistance.Between(a, b));
        Assert.Equal(distance, EditDistance.Between(b, a));
    }

    [Theory]
    [InlineData("trian", "train")]
    [InlineData("tyni", "tiny")]
    [InlineData("--corpsu", "--corpus")]
    [InlineData("--dev", "--devices")]
    [InlineData("STATUS", "status")]
    public void What_was_probably_meant_is_offered(string name, string meant) =>
        Assert.Equal($"did you mean {meant}?", EditDistance.Suggest(name, ["--seed", meant, "generate"]));

    [Theory]
    [InlineData("-v", "seed")]
    [InlineData("-v", "-n")]
    [InlineData("--lr", "--set")]
    [InlineData("--epochs", "--devices")]
    [InlineData("nobody", "tiny")]
    [InlineData("", "a")]
    public void What_is_far_from_everything_is_not_guessed(string name, string known) => Assert.Null(EditDistance.Nearest(name, [known]));

    [Fact]
    public void Where_nothing_is_near_all_are_named()
    {
        Assert.Equal("there are run, node and cluster", EditDistance.Suggest("xyz", ["run", "node", "cluster"]));
        Assert.Equal("there is only run", EditDistance.Suggest("xyz", ["run"]));
        Assert.Equal("there are none", EditDistance.Suggest("xyz", []));
    }
}
