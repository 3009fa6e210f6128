namespace Elastic.Messages.Settings;

/// <summary>How the learning rate goes on after the warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>Falls in a straight line to the minimum at the last step.</summary>
    Linear,

    /// <summary>Falls along half a cosine to the minimum at the last step (Loshchilov and Hutter 2017).</summary>
    Cosine,

    /// <summary>Stays.</summary>
    Constant,
}

/// <summary>Block <c>optimizer</c>: AdamW inside a replica, and the outer step of the averaging.</summary>
/// <param name="LearningRate">Peak learning rate of AdamW.</param>
/// <param name="MinimumLearningRate">Where the schedule ends.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Decoupled decay (Loshchilov and Hutter 2019), on matrices only.</param>
/// <param name="Clip">Largest global norm of the gradient; 0 for none.</param>
/// <param name="LabelSmoothing">Share of the target spread over the vocabulary (Szegedy et al. 2016, section 7).</param>
/// <param name="Schedule">The learning rate after the warm-up.</param>
/// <param name="WarmupSteps">Inner steps over which the learning rate rises from zero.</param>
/// <param name="OuterLearningRate">Learning rate of the outer step (<see cref="AveragingMethod.Nesterov"/> only).</param>
/// <param name="OuterMomentum">Momentum of the outer step (<see cref="AveragingMethod.Nesterov"/> only).</param>
public sealed record OptimizerSettings(
    double LearningRate, double MinimumLearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, double Clip,
    double LabelSmoothing, LearningRateSchedule Schedule, int WarmupSteps, double OuterLearningRate, double OuterMomentum)
{
    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (!(LearningRate > 0))
            yield return $"optimizer.learning-rate = {LearningRate}: use a number above 0";
        if (!(MinimumLearningRate >= 0 && MinimumLearningRate <= LearningRate))
            yield return $"optimizer.minimum-learning-rate = {MinimumLearningRate}: use 0 to optimizer.learning-rate ({LearningRate})";
        if (Beta1 is not (>= 0 and < 1) || Beta2 is not (>= 0 and < 1))
            yield return $"optimizer.betas = [{Beta1}, {Beta2}]: use two numbers from 0 to less than 1";
        if (!(Epsilon > 0))
            yield return $"optimizer.epsilon = {Epsilon}: use a number above 0";
        if (!(WeightDecay >= 0))
            yield return $"optimizer.weight-decay = {WeightDecay}: use 0 or more";
        if (!(Clip >= 0))
            yield return $"optimizer.clip = {Clip}: use 0 (no clipping) or more";
        if (LabelSmoothing is not (>= 0 and < 1))
            yield return $"optimizer.label-smoothing = {LabelSmoothing}: use 0 to less than 1";
        if (WarmupSteps < 0)
            yield return $"optimizer.warmup-steps = {WarmupSteps}: use 0 or more";
        if (!(OuterLearningRate > 0))
            yield return $"optimizer.outer-learning-rate = {OuterLearningRate}: use a number above 0";
        if (OuterMomentum is not (>= 0 and < 1))
            yield return $"optimizer.outer-momentum = {OuterMomentum}: use 0 to less than 1";
    }
}
