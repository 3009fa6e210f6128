namespace Elastic.Foundation.Tests;

public class OneLineTests
{
    [Fact]
    public void Text_of_a_file_stays_on_one_line_and_does_not_fill_the_screen()
    {
        Assert.Equal("a name", OneLine.Of("a name"));
        Assert.Equal("a\uFFFD\uFFFD[2Jb", OneLine.Of("a\n\u001b[2Jb"));
        Assert.Equal("a\uFFFDb", OneLine.Of("a\u202Eb"));
        Assert.Equal("aaaaa…", OneLine.Of(new string('a', 1_000_000), longest: 5));
    }
}
