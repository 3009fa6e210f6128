using Elastic.Actors.Control;
using Elastic.Foundation;

namespace Elastic.Actors.Tests.Nodes;

public sealed class ClusterBuildFailureTests
{
    [Fact]
    public void A_full_disk_and_too_little_memory_end_a_build_with_what_to_do()
    {
        // As .NET says it on Linux.
        Assert.Equal(
            "the seed's disk is full (No space left on device : '/data/pieces/a'): free some space and give the same command again, "
            + "which goes on",
            ClusterBuilds.WhyFailed(new IOException("No space left on device : '/data/pieces/a'", 28)));
        Assert.StartsWith(
            "there is not enough memory", ClusterBuilds.WhyFailed(new InsufficientMemoryException("too much")), StringComparison.Ordinal);
        Assert.Equal("nothing is left", ClusterBuilds.WhyFailed(new ElasticException("nothing is left")));
        Assert.Equal("IOException: broken pipe", ClusterBuilds.WhyFailed(new IOException("broken pipe")));
    }
}
