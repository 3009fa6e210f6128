using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Storage;

namespace Elastic.Host.Ops;

/// <summary>Makes spans of the observations: a round is a trace, and its phases are the spans in it.</summary>
internal sealed class RoundSpans
{
    private readonly Dictionary<RunId, (int Round, Activity Span)> _rounds = [];

    /// <summary>Follows the observations of this process until the end of it.</summary>
    public static async Task FollowAsync(Observations observations, CancellationToken cancel)
    {
        var spans = new RoundSpans();
        try
        {
            await foreach (var observed in observations.FollowAsync(cancel))
                spans.Take(observed);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // What is open is not told of: its round goes on elsewhere.
        }
    }

    /// <summary>Takes one observation.</summary>
    public void Take(Observed observed)
    {
        switch (observed.What)
        {
            case PhaseDuration phase:
                var began = observed.At.AddSeconds(-phase.Seconds);
                if (RoundOf(phase.RunId, phase.Round, began) is not { } round)
                    return;
                using (var span = Telemetry.Spans.StartActivity(
                    $"{phase.Phase}".ToLowerInvariant(), ActivityKind.Internal, round.Context, startTime: began))
                    span?.SetEndTime(observed.At.UtcDateTime);
                break;
            case WorkGivenAgain lost when _rounds.TryGetValue(lost.RunId, out var open):
                open.Span.AddEvent(new ActivityEvent("work given again", observed.At, new ActivityTagsCollection
                {
                    ["node"] = $"{lost.Node}",
                    ["work"] = $"{lost.Kind} {lost.Number}.{lost.Index}",
                    ["why"] = lost.Why,
                }));
                break;
            case RoundCommitted committed when _rounds.TryGetValue(committed.RunId, out var open) && open.Round == committed.Round:
                open.Span.SetTag("tokens.seen", committed.TokensSeen);
                End(committed.RunId, observed.At);
                break;
        }
    }

    // The last phase of a round is told of after its commit, and so is the first one of a round that was taken over in its middle.
    private Activity? RoundOf(RunId run, int round, DateTimeOffset began)
    {
        if (_rounds.TryGetValue(run, out var open) && open.Round == round)
            return open.Span;
        if (_rounds.ContainsKey(run))
            End(run, began);
        if (Telemetry.Spans.StartActivity("round", ActivityKind.Internal, parentContext: default, startTime: began) is not { } span)
            return null;
        span.SetTag("run", $"{run}").SetTag("round", round);
        // Spans of other runs must not become its children by the way of the thread.
        Activity.Current = null;
        _rounds[run] = (round, span);
        return span;
    }

    private void End(RunId run, DateTimeOffset at)
    {
        if (!_rounds.Remove(run, out var open))
            return;
        open.Span.SetEndTime(at.UtcDateTime);
        open.Span.Dispose();
    }
}
