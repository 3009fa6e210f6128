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
public sealed record OptimizerSettings : SettingsGroup
{
    public static OptimizerSettings Defaults { get; } = SettingsRecord.DefaultsOf<OptimizerSettings>();

    [Setting("optimizer.learning-rate", 2e-3, "Peak learning rate of AdamW. Small models take more than GPT-2's 6e-4.")]
    [Above(0)]
    public required double LearningRate { get; init; }

    [Setting("optimizer.minimum-learning-rate", 2e-4, """
        Where the schedule ends: a tenth of the peak (Hoffmann et al. 2022). Where only optimizer.learning-rate is set, the minimum of the
        default or the preset keeps its share of it.
        """)]
    [AtLeast(0), ShareOf("optimizer.learning-rate")]
    public required double MinimumLearningRate { get; init; }

    [Setting("optimizer.betas", new[] { 0.9, 0.95 }, """
        Decay of the two moments. 0.95 instead of 0.999 forgets a bad batch sooner (Brown et al. 2020).
        """)]
    [Between(0, 1, BelowMost = true)]
    public required NumberPair Betas { get; init; }

    [Setting("optimizer.epsilon", 1e-8, """
        Added to the root of the second moment. Not below the smallest normal number of 32 bits: 0 / 0 is no number.
        """)]
    [AtLeast(1.2e-38)]
    public required double Epsilon { get; init; }

    [Setting("optimizer.weight-decay", 0.1, "Decoupled decay (Loshchilov and Hutter 2019), on matrices only.")]
    [AtLeast(0)]
    public required double WeightDecay { get; init; }

    [Setting("optimizer.clip", 1.0, "Largest global norm of the gradient; 0 for none. 1 is GPT-3's and rarely bites after the warm-up.")]
    [AtLeast(0, Zero = "no clipping")]
    public required double Clip { get; init; }

    [Setting("optimizer.label-smoothing", 0.0, """
        Share of the target that is spread over the whole vocabulary (Szegedy et al. 2016, section 7). None, so that the loss stays a code
        length.
        """)]
    [Between(0, 1, BelowMost = true)]
    public required double LabelSmoothing { get; init; }

    [Setting("optimizer.schedule", LearningRateSchedule.Cosine, "The learning rate after the warm-up: linear, cosine or constant.")]
    public required LearningRateSchedule Schedule { get; init; }

    [Setting("optimizer.warmup-steps", 40, "Inner steps over which the learning rate rises from zero: a twentieth of the default run.")]
    [AtLeast(0)]
    public required int WarmupSteps { get; init; }

    [Setting("optimizer.outer-learning-rate", 0.7, """
        Learning rate of the outer step of averaging = nesterov, as in DiLoCo (Douillard et al. 2023). Without effect otherwise.
        """)]
    [Above(0)]
    public required double OuterLearningRate { get; init; }

    [Setting("optimizer.outer-momentum", 0.9, "Momentum of the outer step, likewise.")]
    [Between(0, 1, BelowMost = true)]
    public required double OuterMomentum { get; init; }

    /// <summary>Decay of the first moment.</summary>
    public double Beta1
    {
        get => Betas.First;
        init => Betas = Betas with { First = value };
    }

    /// <summary>Decay of the second moment.</summary>
    public double Beta2
    {
        get => Betas.Second;
        init => Betas = Betas with { Second = value };
    }

    protected override IEnumerable<string> ProblemsTogether() => MinimumLearningRate > LearningRate
        ? [$"optimizer.minimum-learning-rate = {MinimumLearningRate}: use 0 to optimizer.learning-rate ({LearningRate})"] : [];
}
