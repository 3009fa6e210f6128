using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Messages.Tests.Settings;

public sealed class ReplicaSplitTests
{
    [Theory]
    [InlineData("")]
    [InlineData("2")]
    [InlineData("tensor:3")]
    [InlineData("tensor:0")]
    [InlineData("tensor:1")]
    [InlineData("tensor:1, pipeline:2")]
    [InlineData("tensor:2, pipeline:1")]
    [InlineData("tensor:128")]
    [InlineData("pipeline:1")]
    [InlineData("pipeline:0")]
    [InlineData("pipeline:65")]
    [InlineData("pipeline:1x2")]
    [InlineData("pipeline:2x0")]
    [InlineData("pipeline:2x33")]
    [InlineData("pipeline:2x")]
    [InlineData("pipeline:2x2x2")]
    [InlineData("tensor:2x2")]
    [InlineData("pipeline:2, tensor:2")]
    [InlineData("pipeline:2, pipeline:2")]
    [InlineData("tensor:2;pipeline:2")]
    [InlineData(" tensor:2")]
    [InlineData("tensor:2\n")]
    public void A_text_that_is_no_split_is_refused_with_what_to_write(string text)
    {
        Assert.Contains(ReplicaSplit.Use, Assert.Throws<ElasticException>(() => ReplicaSplit.Parse(text)).Message);
        Assert.False(new SplitAttribute().Allows(text));
    }

    [Theory]
    [InlineData("none", 1, 1, "none")]
    [InlineData("tensor:2", 2, 1, "tensor:2")]
    [InlineData("pipeline:3", 1, 3, "pipeline:3")]
    [InlineData("pipeline:3x1", 1, 3, "pipeline:3")]
    [InlineData("pipeline:3x4", 1, 3, "pipeline:3x4", 4)]
    [InlineData("tensor:4,pipeline:2", 4, 2, "tensor:4, pipeline:2")]
    [InlineData("tensor:2, pipeline:2x32", 2, 2, "tensor:2, pipeline:2x32", 32)]
    [InlineData("tensor:2, pipeline:64", 2, 64, "tensor:2, pipeline:64")]
    public void A_split_is_read_and_written(string text, int tensor, int pipeline, string canonical, int chunks = 1)
    {
        var split = ReplicaSplit.Parse(text);
        Assert.Equal((new ReplicaSplit(tensor, pipeline, chunks), canonical), (split, split.ToString()));
        Assert.Equal(split, ReplicaSplit.Parse(split.ToString()));
    }
}
