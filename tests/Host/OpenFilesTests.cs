namespace Elastic.Host.Tests;

public sealed class OpenFilesTests
{
    private const string Head = "Limit                     Soft Limit           Hard Limit           Units     \n";

    [Theory]
    [InlineData("Max open files            64                   64                   files     \n", 64)]
    [InlineData("Max open files            1024                 524288               files     \n", 524_288)]
    [InlineData("Max open files            1024                 unlimited            files     \n", long.MaxValue)]
    public void The_limit_is_what_the_runtime_raises_it_to(string row, long limit) => Assert.Equal(limit, OpenFiles.Read(Head + row));

    [Fact]
    public void A_system_that_says_nothing_is_trusted() => Assert.Null(OpenFiles.Read(Head));
}
