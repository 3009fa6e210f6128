using System.Globalization;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Messages.Runs.RunRequest;

namespace Elastic.Coordination;

/// <summary>
/// What the building of its corpus means for a run that reads one window after the other. What is finished is in the journal before any
/// round reads it. What is heard of the build besides is kept for people, and lost with the process.
/// </summary>
public sealed class CorpusWindows
{
    // The builder says something every twenty seconds; an asking that finds no supervisor takes two minutes.
    private static readonly TimeSpan LongSilence = TimeSpan.FromMinutes(3);

    // Since the supervisor began, too.
    private TimeSpan _heard;
    private string? _failure;

    public static Decision Decide(RunState run, RunPlan plan, Grow c)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(c);
        return c switch
        {
            _ when c.Corpus != run.Corpus => Decision.Refuse(
                $"run {c.Run} reads the corpus {run.Corpus!.Value.Short}, and {c.Corpus.Short} is being built"),
            _ when !plan.Streams => Decision.Refuse($"run {c.Run} reads a corpus that is complete (corpus.order = shuffle)"),
            { Window: { } w } when w.Number < 0 || w.Blocks < 0 || w.Shards.Length is 0 or > CorpusWindow.MostShards => Decision.Refuse(
                $"window {w.Number} of the corpus has {w.Blocks} blocks in {w.Shards.Length} shards, which no window has"),
            { Window: { } w } when w.Number < run.Windows.Count => run.Windows[w.Number].Digest == w.Digest
                ? Decision.AlreadyDone
                : Decision.Refuse($"window {w.Number} of the corpus {c.Corpus.Short} has other shards than run {c.Run} has begun to read: "
                    + "files of the corpus were changed; put them back, or start a new run under another name"),
            { Window: { } w } when w.Number > run.Windows.Count => Decision.Refuse(
                $"window {w.Number} of the corpus comes where window {run.Windows.Count} is due"),
            { Window: { } w } when run.Blocks > 0 && run.KnownBlocks + w.Blocks > run.Blocks => Decision.Refuse(
                $"the corpus has {run.Blocks} blocks, and window {w.Number} ends behind them"),
            { Window: { } w } => Decision.Store(new WindowAdded(run.Id, w, c.Manifest == run.Manifest ? null : c.Manifest)),
            { End: not null } when run.Blocks > 0 => Decision.AlreadyDone,
            { End: { } end } when end.Blocks != run.KnownBlocks || end.Blocks < 1 || end.HeldOutBlocks < 0 || c.Manifest is null =>
                Decision.Refuse($"the corpus ends after {end.Blocks} blocks, and its windows have {run.KnownBlocks}"),
            { End: { } end } => Decision.Store(new CorpusCompleted(run.Id, end, c.Manifest!.Value)),
            _ => Decision.AlreadyDone,
        };
    }

    /// <summary>Notes what the builder says.</summary>
    public void Note(Grow c, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(c);
        (_heard, _failure) = (now, c.Failure);
    }

    /// <summary>What a run waits for that has nothing to read; null where it has.</summary>
    public string? WaitsFor(RunState run, RunPlan? plan, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(run);
        if (plan is null || run.HasData(plan))
            return null;
        var shard = $"shard {run.KnownShards} of the corpus that is being built";
        return _failure is { } why ? $"{shard}; its build has failed: {why}; mend it, and give the command that starts the run again"
            : now - _heard < LongSilence ? shard
            : string.Create(CultureInfo.InvariantCulture,
                $"{shard}; nobody has said for {(now - _heard).TotalMinutes:0} minutes that it is being built: give the "
                + $"command that starts the run again where the text is (pbm run start -n {run.Name})");
    }
}
