using Elastic.Actors.Corpora;
using Elastic.Corpus;
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
    [InlineData(24_575, 1, 2, null)]
    [InlineData(24_576, 1, 2, "1 blocks of 24577 tokens are asked for, which no answer can hold")]
    [InlineData(int.MaxValue, 1, 2, "1 blocks of 2147483648 tokens are asked for, which no answer can hold")]
    [InlineData(int.MaxValue, 60_000, 4, "60000 blocks of 2147483648 tokens are asked for, which no answer can hold")]
    [InlineData(0, 1, 2, "1 blocks of 1 tokens are asked for, which no answer can hold")]
    [InlineData(-5, 1, 2, "1 blocks of -4 tokens are asked for, which no answer can hold")]
    public void Nothing_is_allocated_for_a_request_that_no_answer_can_hold(int context, int blocks, int width, string? problem)
    {
        var request = new ReadBlocks(new ShardId(Digest.Of([1]), 0), false, SampleKind.Blocks, context, new int[blocks]);
        Assert.Equal(problem, ShardReaderActor.Problem(request, width));
    }

    [Theory]
    [InlineData(SampleKind.Blocks, 12_287, 12_287)]
    [InlineData(SampleKind.Blocks, 12_288, 6_144)]
    [InlineData(SampleKind.Packed, 32_768, 8_192)]
    [InlineData(SampleKind.Blocks, 1 << 20, 8_192)]
    [InlineData(SampleKind.Blocks, 32_771, null)]                       // a prime
    [InlineData(SampleKind.Documents, 12_287, 12_287)]
    [InlineData(SampleKind.Documents, 32_768, null)]                    // a part of a document is none
    [InlineData(SampleKind.Pairs, 6_144, null)]
    public void What_no_answer_holds_is_asked_for_in_parts_or_not_at_all(SampleKind kind, int context, int? asked)
    {
        var cut = BlockReader.AskedAs(new SampleCut(kind, context));
        Assert.Equal(asked is { } length ? new SampleCut(kind, length) : null, cut);
        Assert.True(cut is null || ShardReaderActor.Problem(
            new ReadBlocks(new ShardId(Digest.Of([1]), 0), false, kind, cut.Context, [0]), sizeof(int)) is null);
    }
}
