using System.Globalization;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>
/// What displays show of a run between two commits: steps, losses, speed. Lost with the process; no weight depends on it.
/// </summary>
public sealed class RunProgress
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(15);

    // Replicas that began together report together, and a node that joins again reports at once what it did meanwhile: the time between
    // such reports is not the time that the steps took.
    private static readonly TimeSpan Burst = TimeSpan.FromSeconds(1);
    private readonly Dictionary<int, NodeReport.StepTaken> _newest = [];
    private readonly Dictionary<InFlightWork, NodeReport.Fetching> _fetching = [];
    private readonly Queue<(TimeSpan At, long Tokens)> _recent = new();

    /// <summary>Counts the steps that a replica took since its last report, of so many tokens each.</summary>
    /// <param name="now">Since any fixed moment.</param>
    public void Count(NodeReport.StepTaken step, long tokens, TimeSpan now)
    {
        // Two nodes may compute the same round of a replica: only the node that is ahead counts.
        var last = _newest.GetValueOrDefault(step.Replica);
        // Of a replica that is heard of for the first time it is not known when it took its steps.
        var before = last is null ? step.Step : last.Round < step.Round ? 0 : last.Step;
        if (last is not null && (last.Round > step.Round || (last.Round == step.Round && last.Step >= step.Step)))
            return;
        _newest[step.Replica] = step;
        _recent.Enqueue((now, (step.Step - before) * tokens));
        // Where steps are slower than the window, what is left must still span the time of the newest ones.
        while (_recent.Count > 2 && now - _recent.Peek().At > Window && now - _recent.ElementAt(1).At >= Burst)
            _recent.Dequeue();
    }

    /// <summary>Notes what has come of the bytes that work waits for.</summary>
    public void Note(NodeReport.Fetching fetching)
    {
        if (fetching.OfBytes > 0)
            _fetching[new InFlightWork(fetching.Work, fetching.Node)] = fetching;
    }

    /// <summary>Which bytes a replica waits for that has not taken a step in its round; null where none does.</summary>
    /// <param name="nameOf">A node's name for people.</param>
    public string? Fetching(ClusterView view, Func<NodeId, string> nameOf)
    {
        const double mib = 1 << 20;
        foreach (var over in _fetching.Keys.Where(work => !view.InFlight.ContainsKey(work)).ToList())
            _fetching.Remove(over);
        var waiting = _fetching.Values.Where(f => !(_newest.TryGetValue(ReplicaOf(f), out var s) && s.Round >= f.Work.Number))
            .OrderBy(f => (double)f.Bytes / f.OfBytes).ToList();
        return waiting is not [var last, ..] ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"bytes of replica {ReplicaOf(last)}: {last.Bytes / mib:0.0} of {last.OfBytes / mib:0.0} MiB are on {nameOf(last.Node)}")
            + (waiting.Count > 1 ? $", and {waiting.Count - 1} more" : "");

        static int ReplicaOf(NodeReport.Fetching f) => ComputeWork.ReplicaOf(f.Work) ?? f.Work.Index;
    }

    /// <summary>Forgets all steps: the run has gone back to an earlier round.</summary>
    public void Forget()
    {
        _newest.Clear();
        _fetching.Clear();
    }

    /// <summary>Forgets the speed: the run is not computed for a while.</summary>
    public void Rest() => _recent.Clear();

    /// <summary>
    /// Tokens that the run takes in a second, over the last seconds; 0 before there are reports of two moments, and where no more come.
    /// </summary>
    public double TokensPerSecond(TimeSpan now)
    {
        if (_recent.Count < 2)
            return 0;
        var began = _recent.Where(r => r.At - _recent.Peek().At < Burst).Max(r => r.At);
        var measured = _recent.Last().At - began;
        return measured > TimeSpan.Zero && now - _recent.Last().At <= Window + measured
            ? _recent.Where(r => r.At > began).Sum(r => r.Tokens) / measured.TotalSeconds
            : 0;
    }

    /// <summary>The run as a person sees it now.</summary>
    public RunView View(RunState run, RunPlan plan, ClusterView view, RunPhase phase, TimeSpan now)
    {
        var segment = plan.At(run.Round);
        var underWay = _newest.Values.Where(s => s.Round == run.Round && !run.Finished.ContainsKey(s.Replica)).Select(s => (long)s.Step);
        // A score may have made the round superfluous.
        var current = run.Round >= plan.Rounds ? 0 : underWay
            .Concat(run.Finished.Keys.Select(replica => (long)segment.StepsOf(replica)))
            .Concat(run.HandedOver.Values.Where(h => !_newest.TryGetValue(h.Replica, out var s) || s.Round != run.Round)
                .Select(h => (long)h.Step))
            .Sum();
        // Its last step may be smaller.
        var samples = plan.Timeline.SamplesBefore(run.Round) + Math.Min(current * segment.Sequences, segment.SamplesPerRound);
        var newest = _newest.Values.Where(s => s.Round >= run.Round - 1).ToList();
        var scaled = newest.Where(s => s.Scaling is not null).ToList();
        var skippedRound = scaled.Count > 0 ? scaled.Max(s => s.Round) : (int?)null;
        return new RunView
        {
            Name = run.Name!.Value,
            RunId = run.Id,
            Phase = phase,
            Round = run.Round,
            Rounds = plan.Rounds,
            Steps = plan.Timeline.StepsBefore(run.Round) + current / segment.Replicas,
            TotalSteps = plan.TotalSteps,
            Tokens = samples * plan.Context,
            TotalTokens = plan.TokensBefore(plan.Rounds),
            Samples = samples,
            TrainLoss = phase != RunPhase.Finished && newest.Count > 0 ? newest.Average(s => s.LossNats) : run.TrainLossNats,
            ValLoss = run.Score?.LossNats,
            BitsPerByte = run.Score?.BitsPerByte,
            SourceScores = run.SourceScores,
            LanguageScores = run.LanguageScores,
            ScoredRound = run.Score?.Version,
            BestRound = run.BestScore?.Version,
            BestLoss = run.BestScore?.LossNats,
            TokensPerSecond = TokensPerSecond(now),
            LearningRate = newest.Count > 0 ? newest.MaxBy(s => (s.Round, s.Step))!.LearningRate : null,
            LossScale = scaled.Min(s => s.Scaling?.Scale),
            SkippedSteps = scaled.Count > 0 ? scaled.Sum(s => s.Scaling!.SkippedInAll) : null,
            SkippedRound = skippedRound,
            SkippedInRound = scaled.Where(s => s.Round == skippedRound).Sum(s => s.Scaling!.Skipped),
            Fingerprint = run.Version is null ? null : run.Fingerprint,
            Segments = plan.Changes,
            Checkpoint = run.Checkpoints.LastOrDefault()?.Path,
            CheckpointVersion = run.Checkpoints.LastOrDefault()?.Version,
            CheckpointFingerprint = run.Checkpoints.LastOrDefault()?.Fingerprint,
            Priority = plan.Priority,
            Needs = [.. plan.Needs],
            Nodes = view.Nodes.Count,
        };
    }
}
