using Elastic.Actors.Work;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Work;

namespace Elastic.Actors.Tests.Work;

/// <summary>What becomes of work that a node could not do.</summary>
public sealed class WorkFailuresTests
{
    [Fact]
    public void What_a_machine_was_too_slow_for_is_tried_again_and_what_is_wrong_with_a_file_is_not()
    {
        Assert.Equal(WorkFailure.Transient, WorkFailures.Of(new AggregateException(new SlowPageException("slow"))).Kind);
        Assert.Equal(WorkFailure.Permanent, WorkFailures.Of(new AggregateException(new ElasticException("wrong"))).Kind);
    }
}
