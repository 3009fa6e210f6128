using Elastic.Actors.Corpora;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Corpora;

public sealed class ShardReaderTests
{
    [Theory]
    [InlineData(127, 96, 4, null)]                                      // what a reader of blocks asks for at most, 48 KiB
    [InlineData(1, 1, 2, null)]
    [InlineData(32_767, 1, 2, null)]
    [InlineData(32_768, 1, 2, "1 blocks of 32769 tokens are asked for, which no answer can hold")]
    [InlineData(int.MaxValue, 1, 2, "1 blocks of 2147483648 tokens are asked for, which no answer can hold")]
    [InlineData(int.MaxValue, 60_000, 4, "60000 blocks of 2147483648 tokens are asked for, which no answer can hold")]
    [InlineData(0, 1, 2, "1 blocks of 1 tokens are asked for, which no answer can hold")]
    [InlineData(-5, 1, 2, "1 blocks of -4 tokens are asked for, which no answer can hold")]
    public void Nothing_is_allocated_for_a_request_that_no_answer_can_hold(int context, int blocks, int width, string? problem)
    {
        var request = new ReadBlocks(new ShardId(Digest.Of([1]), 0), false, SampleKind.Blocks, context, new int[blocks]);
        Assert.Equal(problem, ShardReaderActor.Problem(request, width));
    }
}
