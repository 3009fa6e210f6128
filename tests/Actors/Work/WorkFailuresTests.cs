using System.Runtime.InteropServices;
using Elastic.Actors.Work;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;
using Elastic.Model.Training;

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

    [Fact]
    public void A_device_without_memory_says_so_in_one_line_with_what_to_do()
    {
        var cause = new NativeException("CUDA out of memory. Tried to allocate 20.00 MiB.\nframe #0: c10::Error");
        var failed = WorkFailures.Of(new DeviceFailedException(
            new DeviceId("cuda:0"), "rank 0 of 1 (cuda:0) failed in its forward and backward pass", cause));
        Assert.Equal(WorkFailure.Exhausted, failed.Kind);
        Assert.StartsWith(
            "rank 0 of 1 (cuda:0) failed in its forward and backward pass: there is not enough memory (CUDA out of memory. Tried to " +
            "allocate 20.00 MiB): lower batch.micro",
            failed.Why, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failed.Why);
    }

    // What TorchSharp throws for an error of libtorch's.
    private sealed class NativeException(string words) : ExternalException(words);
}
