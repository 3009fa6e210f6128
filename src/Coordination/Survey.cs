using Elastic.Foundation;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

/// <summary>
/// Decides where a run goes on after a recovery or a loss, by the sets of the journal that nodes still hold intact: from the newest
/// version; else from the newest intact checkpoint; else from the beginning.
/// </summary>
public static class Survey
{
    public static Decision Decide(RunState run, HashSet<Digest> asked, HashSet<Digest> intact)
    {
        // A survey of before the newest commit: by it, all that was committed since would seem damaged.
        if (run.Version is { } newest && !(asked.Contains(newest) && run.InnerStates.All(asked.Contains)))
            return Decision.Refuse($"the survey does not speak of version {run.Round}: it was asked for before");

        var broken = run.Checkpoints.Where(c => !IsWhole(c)).ToList();
        var events = new List<RunEvent>();

        if (run.Version is { } version && (IsLost(version) || run.InnerStates.Any(IsLost)))
        {
            var damage = $"version {run.Round} is incomplete or damaged";
            // Only now that the version is lost: a checkpoint whose node is away may be back when it is needed.
            events.AddRange(broken.Select(c => new CheckpointDropped(run.Id, c.Version)));
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

        bool IsLost(Digest set) => asked.Contains(set) && !intact.Contains(set);

        bool IsWhole(Checkpoint c) => !IsLost(c.Parameters) && !c.InnerStates.Any(IsLost);

        // Averaged chunks are cheap: they are always summed again rather than verified.
        WorkLost? LostWork()
        {
            var replicas = run.Finished.Values.Where(r => IsLost(r.Contribution) || IsLost(r.InnerState)).Select(r => r.Replica)
                .Concat(run.HandedOver.Values.Where(h => IsLost(h.State)).Select(h => h.Replica))
                .ToArray();
            return replicas.Length == 0 && run.Averaged.IsEmpty
                ? null
                : new WorkLost(run.Id, run.Round, replicas, !run.Averaged.IsEmpty,
                    $"{replicas.Length} results of round {run.Round} were not whole");
        }
    }
}
