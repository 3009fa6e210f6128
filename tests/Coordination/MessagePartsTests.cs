using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

public sealed class MessagePartsTests
{
    private static readonly RunId Run = new("tiny-3k9v2mq7");

    private readonly MessageParts _parts = new();

    [Fact]
    public void Parts_are_joined_once_all_are_there_in_whatever_order()
    {
        Assert.Null(_parts.Join(Of(1, 1, 2)));
        Assert.Equal([Digest.Of([0]), Digest.Of([1])], _parts.Join(Of(1, 0, 2))!.Sets);
        Assert.NotNull(_parts.Join(Of(2, 0, 1)));
    }

    [Theory]
    [InlineData(0, int.MaxValue)]
    [InlineData(0, 1025)]
    [InlineData(-1, 3)]
    [InlineData(3, 3)]
    [InlineData(int.MinValue, int.MaxValue)]
    public void A_part_of_more_than_a_message_can_have_or_outside_of_it_is_dropped_and_takes_no_memory(int index, int of)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Null(_parts.Join(Of(1, index, of)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        Assert.Null(_parts.Join(Of(2, 0, 2)));
        Assert.NotNull(_parts.Join(Of(2, 1, 2)));
    }

    [Fact]
    public void Of_messages_that_are_never_complete_only_the_newest_are_kept()
    {
        for (var run = 0; run < 1000; run++)
            Assert.Null(_parts.Join(Of(1, 0, 2) with { RunId = new RunId($"tiny-{run}") }));
        Assert.NotNull(_parts.Join(Of(1, 1, 2) with { RunId = new RunId("tiny-999") }));
        Assert.NotNull(_parts.Join(Of(1, 1, 2) with { RunId = new RunId("tiny-936") }));
        Assert.Null(_parts.Join(Of(1, 1, 2) with { RunId = new RunId("tiny-900") }));
    }

    private static NodeCommand.Retain Of(long number, int index, int of) =>
        new(Run, new OrderId(1, number), 0, [Digest.Of([(byte)index])], [], new Part(index, of));
}
