using Elastic.Messages;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Actors.Runs;

// The resume ladder. After a recovery the journal says what there should be, and the nodes say what is still whole.
// From the top: the newest version; else the newest whole checkpoint; else the very beginning.
internal static class Survey
{
    public static Decision Decide(RunState run, HashSet<Digest> intact)
    {
        var broken = run.Checkpoints.Where(c => !IsWhole(c)).ToList();
        var events = broken.Select(RunEvent (c) => new CheckpointDropped(run.Id, c.Version)).ToList();

        if (run.Version is { } version && !(intact.Contains(version) && run.InnerStates.All(intact.Contains)))
        {
            var damage = $"version {run.Round} is incomplete or damaged";
            foreach (var checkpoint in broken.AsEnumerable().Reverse())
                damage += $", so is the checkpoint of round {checkpoint.Version}";
            var from = run.Checkpoints.LastOrDefault(IsWhole);
            events.Add(new RolledBack(run.Id, from, from is null
                ? $"{damage}: starting over from the seed"
                : $"{damage}: going on from the checkpoint of round {from.Version}"));
        }
        else if (LostWork() is { } lost)
        {
            events.Add(lost);
        }

        return Decision.Store([.. events]);

        bool IsWhole(Checkpoint c) => intact.Contains(c.Parameters) && c.InnerStates.All(intact.Contains);

        // Averaged chunks are cheap: they are always summed again rather than read through.
        WorkLost? LostWork()
        {
            var replicas = run.Finished.Values.Where(r => !intact.Contains(r.Contribution) || !intact.Contains(r.InnerState)).Select(r => r.Replica)
                .Concat(run.HandedOver.Values.Where(h => !intact.Contains(h.State)).Select(h => h.Replica))
                .ToArray();
            return replicas.Length == 0 && run.Averaged.IsEmpty
                ? null
                : new WorkLost(run.Id, run.Round, replicas, !run.Averaged.IsEmpty, $"{replicas.Length} results of round {run.Round} were not whole");
        }
    }
}
