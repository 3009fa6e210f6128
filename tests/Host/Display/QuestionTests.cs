using Elastic.Host.Display;

namespace Elastic.Host.Tests.Display;

public sealed class QuestionTests
{
    [Theory]
    [InlineData("y\n", true)]
    [InlineData(" yes \n", true)]
    [InlineData("n\n", false)]
    [InlineData("\n", false)]
    [InlineData("", false)]
    public void Only_a_yes_is_one(string typed, bool isYes)
    {
        using var output = new StringWriter();
        Assert.Equal(isYes, Question.IsAnsweredYes("Do it? [y/N] ", new StringReader(typed), output));
        Assert.Equal("Do it? [y/N] ", output.ToString());
        Assert.False(Question.CanBeAsked(output));
    }
}
