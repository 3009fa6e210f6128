using System.Collections.Concurrent;
using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Host.Ops;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Tests.Ops;

public sealed class RoundSpansTests
{
    private static readonly DateTimeOffset Began = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void A_round_is_a_trace_with_its_phases_and_its_lost_work()
    {
        // Of this test alone: nodes of other tests are at work on other days.
        ConcurrentQueue<Activity> ended = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.StartTimeUtc.Date == Began.Date)
                    ended.Enqueue(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var (run, other) = (new RunId("tiny"), new RunId("other"));
        var spans = new RoundSpans();
        spans.Take(At(10, new PhaseDuration(run, 4, RunPhase.Computing, 10)));
        spans.Take(At(11, new PhaseDuration(other, 7, RunPhase.Computing, 1)));
        spans.Take(At(12, new WorkGivenAgain(run, new NodeId("w3"), "compute", 4, 2, "the node is given up")));
        spans.Take(At(13, new PhaseDuration(run, 4, RunPhase.Averaging, 3)));
        spans.Take(At(14, new PhaseDuration(run, 4, RunPhase.Assembling, 1)));
        spans.Take(At(14.5, new RoundCommitted(run, 4, 4096)));

        var round = Assert.Single(ended, a => a.OperationName == "round");
        Assert.Equal((Began.UtcDateTime, TimeSpan.FromSeconds(14.5)), (round.StartTimeUtc, round.Duration));
        Assert.Equal(("tiny", 4, 4096L), (round.GetTagItem("run"), round.GetTagItem("round"), round.GetTagItem("tokens.seen")));
        Assert.Contains(round.Events.Single().Tags, t => t is { Key: "node", Value: "w3" });
        var phases = ended.Where(a => a.ParentSpanId == round.SpanId).ToList();
        Assert.Equal(["computing", "averaging", "assembling"], phases.Select(p => p.OperationName));
        Assert.Equal([10.0, 3, 1], phases.Select(p => p.Duration.TotalSeconds));
        Assert.NotEqual(round.TraceId, Assert.Single(ended, a => a.OperationName == "computing" && a.ParentSpanId != round.SpanId).TraceId);
    }

    private static Observed At(double seconds, Observation what) => new(Began.AddSeconds(seconds), what);
}
