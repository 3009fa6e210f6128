using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;

namespace Elastic.Model.Training;

/// <summary>Says of a plan that does not fit into a machine's memory which settings make it fit, and by how much.</summary>
public static class TrainingRemedies
{
    // Less is not worth a change of settings.
    private const double LeastSaving = 0.01;

    /// <summary>Null where the plan fits; otherwise a sentence with its parts and the settings that help.</summary>
    /// <param name="freeBytes">What the process may still take.</param>
    public static string? Problem(this TrainingPlan plan, double freeBytes)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var memory = plan.Memory;
        return memory.Bytes <= freeBytes ? null
            : $"training needs {ByteSize.Text(memory.Bytes)} of memory here, and {ByteSize.Text(freeBytes)} are free ({memory.Parts}): " +
              Advice(plan, freeBytes);
    }

    private static string Advice(TrainingPlan plan, double freeBytes)
    {
        var needed = plan.Memory.Bytes;
        List<Remedy> all = [.. Of(plan, freeBytes).Where(r => r.Plan.Memory.Bytes <= (1 - LeastSaving) * needed)];
        var enough = all.Where(r => r.Plan.Memory.Bytes <= freeBytes).ToList();
        if (enough.Count > 0)
            return $"set {string.Join(", or ", enough.Select(Text))}, or free some memory";
        var settings = plan.Settings;
        var smaller = $"lower model.width ({settings.Model.Width}), model.layers ({settings.Model.Layers}) or " +
                      $"corpus.sample-tokens ({settings.SampleTokens}), or free some memory";
        if (all.Count == 0)
            return smaller;
        var together = Together(plan);
        var texts = string.Join(", ", all.Select(Text));
        var names = string.Join(", ", all.Select(r => r.Setting.Split(' ')[0]).Distinct());
        return together.Memory.Bytes <= freeBytes
            ? $"no setting alone is enough ({texts}); all of {names} together need {ByteSize.Text(together.Memory.Bytes)}"
            : $"{texts} are not enough, alone or together ({ByteSize.Text(together.Memory.Bytes)}): {smaller}";
    }

    private static string Text(Remedy remedy) => $"{remedy.Setting} ({ByteSize.Text(remedy.Plan.Memory.Bytes)})";

    // First what changes no weight.
    private static IEnumerable<Remedy> Of(TrainingPlan plan, double freeBytes)
    {
        var (settings, batch) = (plan.Settings, plan.Settings.Batch);
        foreach (var mode in new[] { RecomputeMode.Blocks, RecomputeMode.Full }.Where(m => m > batch.Recompute))
            yield return new Remedy($"batch.recompute = {mode.ToString().ToLowerInvariant()}", Again(plan, With(settings, mode)));
        if (plan.AtOnce.Sum(p => p.Devices) > 1)
            yield return new Remedy("node.devices = auto", OnOne(plan, settings));
        if (plan.Zero < 2 && plan.Devices > 1 && plan.InUse.Devices == 1)
            yield return new Remedy("node.zero = 2", Again(plan, settings, zero: 2));
        if (plan.InUse.Devices == 1 && plan.AtOnce[^1].Given > 1)
        {
            var splits = SplitChoices.Of(plan, freeBytes);
            var best = splits.Recommended ?? splits.All.MinBy(p => p.Memory.Bytes)!;
            if (!best.Split.IsNone)
                yield return new Remedy($"node.split = \"{best.Split}\"", best);
        }
        if (plan.Offload == OffloadMode.None)
            yield return new Remedy("node.offload = file", Again(plan, settings, offload: OffloadMode.File));
        if (Smaller(plan, freeBytes) is { } micro)
            yield return new Remedy($"batch.micro = {micro}", Again(plan, WithMicro(settings, micro)));
        if (settings.Run.Precision == TrainingPrecision.Fp32 && SupportsBf16(settings))
            yield return new Remedy("run.precision = bf16", Again(plan, WithBf16(settings)));
    }

    private static TrainingPlan Together(TrainingPlan plan)
    {
        var settings = WithMicro(With(plan.Settings, RecomputeMode.Full), 1);
        var wide = OnOne(plan, settings, OffloadMode.File);
        var narrow = SupportsBf16(settings) ? OnOne(plan, WithBf16(settings), OffloadMode.File) : null;
        return narrow is not null && narrow.Memory.Bytes < wide.Memory.Bytes ? narrow : wide;
    }

    // The largest part of a batch that fits, by halves of its divisors; the smallest where none does. Null where there is no smaller one.
    private static int? Smaller(TrainingPlan plan, double freeBytes)
    {
        var batch = plan.Settings.Batch;
        List<int> divisors = [.. Enumerable.Range(1, (int)Math.Sqrt(batch.Sequences)).Where(d => batch.Sequences % d == 0)
            .SelectMany(d => new[] { d, batch.Sequences / d }).Distinct().Where(d => d < batch.Micro).Order()];
        if (divisors.Count == 0)
            return null;
        var (low, high) = (0, divisors.Count);
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            var fits = Again(plan, WithMicro(plan.Settings, divisors[middle])).Memory.Bytes <= freeBytes;
            (low, high) = fits ? (middle, high) : (low, middle);
        }
        return divisors[low];
    }

    // On the devices that there are.
    private static TrainingPlan Again(
        TrainingPlan plan, TrainingSettings settings, int? zero = null, OffloadMode? offload = null) =>
        TrainingPlan.OfReplicas(
            settings, plan.Replicas, plan.DevicesOfAll, plan.ThreadsOfEach, zero ?? plan.Zero, offload ?? plan.Offload, plan.Split);

    private static TrainingPlan OnOne(TrainingPlan plan, TrainingSettings settings, OffloadMode? offload = null) =>
        TrainingPlan.OfReplica(settings, 1, plan.AtOnce.Sum(p => p.Threads.Sum()), plan.Zero, offload ?? plan.Offload);

    private static TrainingSettings With(TrainingSettings settings, RecomputeMode mode) =>
        settings with { Batch = settings.Batch with { Recompute = mode } };

    private static TrainingSettings WithMicro(TrainingSettings settings, int micro) =>
        settings with { Batch = settings.Batch with { Micro = micro } };

    private static TrainingSettings WithBf16(TrainingSettings settings) =>
        settings with { Run = settings.Run with { Precision = TrainingPrecision.Bf16 } };

    private static bool SupportsBf16(TrainingSettings settings) =>
        Architectures.Open(settings.Model).Supports(TrainingPrecision.Bf16)
        && Optimizers.Open(settings.Optimizer).Supports(TrainingPrecision.Bf16);

    private sealed record Remedy(string Setting, TrainingPlan Plan);
}
