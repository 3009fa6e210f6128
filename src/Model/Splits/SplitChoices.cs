using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>The splits that a machine's devices could have, with what each takes, and the one to prefer.</summary>
/// <param name="All">A plan for each, the unsplit one first.</param>
/// <param name="Recommended">
/// The one, of those that fit, whose step has the fewest operations one after another, waiting included; of equal ones the one with the
/// least memory. Null where none fits.
/// </param>
public sealed record SplitChoices(IReadOnlyList<TrainingPlan> All, TrainingPlan? Recommended)
{
    // Plans differ by rounding, and by the few micro-batches that do not divide; that is no reason for another setting.
    private const double Alike = 0.02;

    /// <summary>
    /// The choices of a plan's devices: pipelines of as many stages as divide the fewest devices of a replica, and as the network has;
    /// tensor groups in the same way; pipelines of such groups; and pipelines whose stages have two pieces each.
    /// </summary>
    /// <param name="freeBytes">What the process may still take.</param>
    public static SplitChoices Of(TrainingPlan plan, double freeBytes)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var architecture = Architectures.Open(plan.Settings.Model);
        var fewest = plan.AtOnce[^1].Given;
        var given = Math.Min(fewest, ReplicaSplit.Most);
        int pieces = Math.Min(TapeStage.Most(architecture), ReplicaSplit.Most), stages = Math.Min(given, pieces);
        var ranks = Math.Min(given, TensorSplit.Most(architecture));
        List<ReplicaSplit> shared = [.. Enumerable.Range(2, Math.Max(0, ranks - 1)).Where(int.IsPow2).Select(t => new ReplicaSplit(t, 1))];
        List<TrainingPlan> all =
        [
            .. Enumerable.Range(1, stages).Select(s => new ReplicaSplit(1, s))
                .Concat(shared)
                .Concat(shared.SelectMany(s => Enumerable.Range(2, Math.Max(0, stages - 1)).Select(p => s with { Pipeline = p })))
                .Concat(Enumerable.Range(2, Math.Max(0, pieces / 2 - 1)).Select(p => new ReplicaSplit(1, p, 2)))
                .Where(split => fewest % split.Devices == 0).Select(split => TrainingPlan.OfReplicas(
                    plan.Settings, plan.Replicas, plan.DevicesOfAll, plan.ThreadsOfEach, plan.Zero, plan.Offload, split)),
        ];
        var fit = all.Where(p => p.Memory.Bytes <= freeBytes).ToList();
        if (fit.Count == 0)
            return new SplitChoices(all, null);
        var least = fit.Min(InTurn);
        return new SplitChoices(all, fit.Where(p => InTurn(p) <= (1 + Alike) * least).MinBy(p => p.Memory.Bytes));

        // A round ends with its slowest replica.
        static double InTurn(TrainingPlan plan) => plan.AtOnce.Max(p => p.FlopsInTurn / p.Threads[0]);
    }
}
