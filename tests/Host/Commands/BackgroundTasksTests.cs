using Elastic.Host.Commands;

namespace Elastic.Host.Tests.Commands;

/// <summary>What a node does besides its work must not keep it from handing over.</summary>
public sealed class BackgroundTasksTests
{
    [Fact]
    public async Task One_that_fails_is_told_of_at_once_and_neither_ends_the_others_nor_throws_at_the_end()
    {
        var said = new List<string>();
        using var tasks = new BackgroundTasks(said.Add, CancellationToken.None);
        var isOver = false;
        tasks.Begin("the webhook", _ => throw new InvalidOperationException("a bug"));
        tasks.Begin("the backup", async cancel =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, cancel);
            }
            finally
            {
                isOver = true;
            }
        });
        Assert.Equal(
            "the webhook ended (InvalidOperationException: a bug): the node goes on without, until it is started again; please report it",
            Assert.Single(said));
        Assert.False(isOver);

        await tasks.EndAsync();
        Assert.True(isOver);
        Assert.Single(said);
    }
}
