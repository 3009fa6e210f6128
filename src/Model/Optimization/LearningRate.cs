using Elastic.Kernels;
using Elastic.Messages.Settings;

namespace Elastic.Model.Optimization;

/// <summary>The learning rate of an inner step: a warm-up from zero, then the schedule down to the minimum.</summary>
public static class LearningRate
{
    /// <summary>
    /// The rate of inner step <paramref name="step"/> (0 is the first) of <paramref name="totalSteps"/>. The warm-up is linear and reaches
    /// the peak with its last step; the very last step has the minimum, or comes within one step of it.
    /// </summary>
    public static double At(long step, long totalSteps, OptimizerSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < settings.WarmupSteps)
            return settings.LearningRate * (step + 1) / settings.WarmupSteps;
        // From 0 at the first step after the warm-up to 1 at the step after the last.
        var progress = totalSteps > settings.WarmupSteps
            ? Math.Min(1.0, (double)(step - settings.WarmupSteps) / (totalSteps - settings.WarmupSteps))
            : 1.0;
        var share = settings.Schedule switch
        {
            LearningRateSchedule.Constant => 1.0,
            LearningRateSchedule.Linear => 1.0 - progress,
            LearningRateSchedule.Cosine => 0.5 * (1.0 + Elementary.CosineOfPi(progress)),
            _ => throw new System.Diagnostics.UnreachableException($"schedule {settings.Schedule}"),
        };
        return settings.Schedule == LearningRateSchedule.Constant
            ? settings.LearningRate
            : settings.MinimumLearningRate + (settings.LearningRate - settings.MinimumLearningRate) * share;
    }
}
