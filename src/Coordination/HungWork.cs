
namespace Elastic.Coordination;

/// <summary>Notes what nodes say of their progress, and lets nodes rest whose work makes none.</summary>
internal sealed class HungWork(RunCoordinatorContext context, EnlistedNodes nodes, ReplicaAttempts attempts)
{
    // On a healthy node no work takes so long, but a replica's round. (A slow replica gets a second runner.)
    private static readonly TimeSpan Overlong = TimeSpan.FromMinutes(5);

    private readonly StallDetector _stalls = new();

    /// <summary>Notes a step of a replica: none of its stages waits for devices any more.</summary>
    public void NoteStep(InFlightWork stepping)
    {
        _stalls.Note(stepping, context.Now);
        foreach (var stage in attempts.Of(stepping))
            context.View = context.View.Begun(stage);
    }

    /// <summary>Notes that work is alive without a step: it fetches, or waits for devices.</summary>
    public void NoteAlive(InFlightWork work)
    {
        foreach (var stage in attempts.Of(work))
            _stalls.NoteFetched(stage, context.Now);
    }

    /// <summary>
    /// Lets nodes rest whose work hangs. Slow is not dead: the node goes on, and its result counts. Another one takes the steps, too.
    /// </summary>
    public void RestNodes()
    {
        foreach (var (stuck, _) in context.View.InFlight.Where(w => ComputeWork.ReplicaOf(w.Key.Work) is null
            && context.Now - _stalls.Alive(w.Key, w.Value) > Overlong).DistinctBy(w => w.Key.Node).ToList())
            nodes.Rest(stuck.Node, $"it has not finished its {stuck.Work} for {Overlong.TotalMinutes} minutes");
        _stalls.Keep(context.View.InFlight.ContainsKey);
        foreach (var (hung, since) in context.View.InFlight.Where(w => w.Key.Work.Kind == ComputeWork.Kind.Name).ToList())
            // The nodes of several stages notice themselves which of them hangs, and name it: later than that is for when all hang.
            if (_stalls.IsStalled(hung, since, context.View.Attempts.ContainsKey(hung) ? context.Now - Overlong : context.Now)
                && context.View.Workers.Count(n => n != hung.Node) >= attempts.Stages)
                nodes.Rest(hung.Node, $"its {hung.Work} makes no progress");
    }
}
