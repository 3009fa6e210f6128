using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>What is seen of a run between two commits: steps, losses, speed. Lost with the process, and worth nothing to the weights.</summary>
/// <param name="clock">Tells the time; passed in so that tests can turn it.</param>
public sealed class RunProgress(TimeProvider clock)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(15);
    private readonly Dictionary<int, NodeReport.StepTaken> _newest = [];
    private readonly Queue<(long At, long Tokens)> _recent = new();

    /// <summary>A replica took a step of so many tokens.</summary>
    public void Count(NodeReport.StepTaken step, long tokens)
    {
        _newest[step.Replica] = step;
        _recent.Enqueue((clock.GetTimestamp(), tokens));
        while (_recent.Count > 2 && clock.GetElapsedTime(_recent.Peek().At) > Window)
            _recent.Dequeue();
    }

    /// <summary>Over the last seconds; 0 before two steps were seen.</summary>
    public double TokensPerSecond
    {
        get
        {
            if (_recent.Count < 2)
                return 0;
            var seconds = clock.GetElapsedTime(_recent.Peek().At, _recent.Last().At).TotalSeconds;
            return seconds > 0 ? _recent.Skip(1).Sum(r => r.Tokens) / seconds : 0;
        }
    }

    /// <summary>The run as a person sees it now.</summary>
    public RunView View(RunState run, RunPlan plan, Fleet fleet, RunPhase phase, string? notice, string? failure)
    {
        var current = _newest.Values.Where(s => s.Round == run.Round && !run.Finished.ContainsKey(s.Replica)).Select(s => (long)s.Step)
            .Concat(run.Finished.Keys.Select(_ => (long)plan.InnerSteps))
            .Concat(run.HandedOver.Values.Where(h => !_newest.TryGetValue(h.Replica, out var s) || s.Round != run.Round).Select(h => (long)h.Step))
            .Sum();
        var steps = (long)run.Round * plan.InnerSteps + current / plan.Replicas;
        var samples = run.Round * plan.SamplesPerRound + current * plan.Sequences;
        var newest = _newest.Values.Where(s => s.Round >= run.Round - 1).ToList();
        return new RunView(
            run.Id, phase, run.Round, plan.Rounds, steps, plan.TotalSteps, samples * plan.Context, plan.TotalSteps * plan.Replicas * plan.Sequences * plan.Context,
            samples, phase != RunPhase.Finished && newest.Count > 0 ? newest.Average(s => s.LossNats) : run.TrainLossNats,
            run.Score?.LossNats, run.Score?.BitsPerByte, TokensPerSecond,
            newest.Count > 0 ? newest.MaxBy(s => (s.Round, s.Step))!.LearningRate : null,
            run.Version is null ? null : run.Fingerprint, run.Checkpoints.LastOrDefault()?.Path,
            fleet.Nodes.Count, fleet.DeviceCount, notice, failure);
    }
}
