using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>The splits that a machine's devices could have, with what each takes, and the one to prefer.</summary>
/// <param name="All">A plan for each, the unsplit one first.</param>
/// <param name="Recommended">
/// Of those that fit the one whose step has the fewest operations one after another, waiting included; of equal ones the one with the least
/// memory. Null where none fits.
/// </param>
public sealed record SplitChoices(IReadOnlyList<TrainingPlan> All, TrainingPlan? Recommended)
{
    // Plans differ by rounding, and by the few micro-batches that do not divide; that is no reason for another setting.
    private const double Alike = 0.02;

    /// <summary>
    /// Those of a plan's devices: pipelines of as many stages, and tensor groups of as many devices, as divide the devices of a replica,
    /// and as the network allows.
    /// </summary>
    /// <param name="freeBytes">What the process may still take.</param>
    public static SplitChoices Of(TrainingPlan plan, double freeBytes)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var architecture = Architectures.Open(plan.Settings.Model);
        List<int> sizes = [.. Enumerable.Range(1, Math.Min(plan.Given, ReplicaSplit.Most)).Where(n => n > 1 && plan.Given % n == 0)];
        IEnumerable<ReplicaSplit> splits =
        [
            ReplicaSplit.None,
            .. sizes.Where(n => n <= TapeStage.Most(architecture)).Select(n => new ReplicaSplit(1, n)),
            .. sizes.Where(n => int.IsPow2(n) && n <= TensorSplit.Most(architecture)).Select(n => new ReplicaSplit(n, 1)),
        ];
        List<TrainingPlan> all =
        [
            .. splits.Select(split => TrainingPlan.OfReplica(
                plan.Settings, plan.Given, plan.ThreadsOfEach, plan.Zero, plan.Offload, split) with
            {
                Replicas = plan.Replicas,
            }),
        ];
        var fit = all.Where(p => p.Memory.Bytes <= freeBytes).ToList();
        if (fit.Count == 0)
            return new SplitChoices(all, null);
        var fewest = fit.Min(p => p.FlopsInTurn / p.Threads[0]);
        return new SplitChoices(
            all, fit.Where(p => p.FlopsInTurn / p.Threads[0] <= (1 + Alike) * fewest).MinBy(p => p.Memory.Bytes));
    }
}
