using Elastic.Kernels;
using Elastic.Messages.Settings;

namespace Elastic.Model.Optimization;

/// <summary>
/// The learning rate of an inner step: a warm-up from zero, then the schedule. With t = step + 1, w steps of warm-up and T steps in all:
///   inverse-square-root: peak sqrt(w / t). Vaswani et al. 2017, section 5.3, have width^-0.5 min(t^-0.5, t w^-1.5), which is the same with
///   the peak (width w)^-0.5: 7.0e-4 for their width 512 and w 4000.
///   warmup-stable-decay (Hu et al. 2024, section 4): the peak until the last share of T, then down to the minimum along 1 - x or
///   1 - sqrt(x) (Hägele et al. 2024, section 3).
/// </summary>
public static class LearningRate
{
    /// <summary>
    /// The rate of inner step <paramref name="step"/> (0 is the first) of <paramref name="totalSteps"/>. The warm-up is linear and reaches
    /// the peak with its last step. Of schedules that end at the minimum, the very last step has it, or comes within one step of it.
    /// </summary>
    public static double At(long step, long totalSteps, OptimizerSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < settings.WarmupSteps)
            return settings.LearningRate * (step + 1) / settings.WarmupSteps;
        if (settings.Schedule == LearningRateSchedule.InverseSquareRoot)
            return settings.LearningRate * Math.Sqrt(settings.WarmupSteps / (step + 1.0));
        if (settings.Schedule == LearningRateSchedule.Constant)
            return settings.LearningRate;
        // From 0 at the first step of the fall to 1 at the step after the last of all.
        var first = settings.FirstStepOfLength(totalSteps);
        var progress = step < first ? 0.0 : totalSteps > first ? Math.Min(1.0, (double)(step - first) / (totalSteps - first)) : 1.0;
        var share = settings.Schedule switch
        {
            LearningRateSchedule.Linear => 1.0 - progress,
            LearningRateSchedule.Cosine => 0.5 * (1.0 + Elementary.CosineOfPi(progress)),
            LearningRateSchedule.WarmupStableDecay => Decayed(progress, settings.DecayShape),
            _ => throw new System.Diagnostics.UnreachableException($"schedule {settings.Schedule}"),
        };
        return settings.MinimumLearningRate + (settings.LearningRate - settings.MinimumLearningRate) * share;
    }

    private static double Decayed(double progress, LearningRateDecay shape) => shape switch
    {
        LearningRateDecay.Linear => 1.0 - progress,
        LearningRateDecay.SquareRoot => 1.0 - Math.Sqrt(progress),
        _ => throw new System.Diagnostics.UnreachableException($"decay {shape}"),
    };
}
