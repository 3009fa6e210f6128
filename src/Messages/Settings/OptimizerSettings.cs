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

    /// <summary>Falls with one over the root of the step's number (Vaswani et al. 2017, section 5.3).</summary>
    InverseSquareRoot,

    /// <summary>Stays, and falls to the minimum over the last steps (Hu et al. 2024, section 4).</summary>
    WarmupStableDecay,
}

/// <summary>How the learning rate falls at the end of <see cref="LearningRateSchedule.WarmupStableDecay"/>.</summary>
public enum LearningRateDecay
{
    /// <summary>It falls in a straight line.</summary>
    Linear,

    /// <summary>It falls as 1 - sqrt(x), where x goes from 0 to 1 (Hägele et al. 2024, section 3): fast at first.</summary>
    SquareRoot,
}

/// <summary>Block <c>optimizer</c>: AdamW or Muon inside a replica, and the outer step of the averaging.</summary>
public sealed record OptimizerSettings : SettingsGroup
{
    public static OptimizerSettings Defaults { get; } = SettingsRecord.DefaultsOf<OptimizerSettings>();

    [Setting("optimizer.kind", "adamw", """
        adamw: Loshchilov and Hutter 2019. muon: orthogonal steps for the matrices of the blocks (Jordan et al. 2024, scaled as Liu et al.
        2025 do), and AdamW for embeddings, head, gains and biases.
        """)]
    [OneOf("adamw", "muon"), Since(4, "adamw")]
    public required string Kind { get; init; }

    [Setting("optimizer.learning-rate", 2e-3, """
        Peak learning rate. Small models take more than GPT-2's 6e-4. Muon's steps are scaled to the size of AdamW's, so that a rate for one
        is a good first guess for the other.
        """)]
    [Above(0), MayChange]
    public required double LearningRate { get; init; }

    [Setting("optimizer.minimum-learning-rate", 2e-4, """
        Where the schedule ends: a tenth of the peak (Hoffmann et al. 2022). Where only optimizer.learning-rate is set, the minimum of the
        default or the preset keeps its share of it. Without effect on the schedules constant and inverse-square-root.
        """)]
    [AtLeast(0), ShareOf("optimizer.learning-rate"), MayChange]
    public required double MinimumLearningRate { get; init; }

    [Setting("optimizer.betas", new[] { 0.9, 0.95 }, """
        Decay of the two moments. 0.95 instead of 0.999 forgets a bad batch sooner (Brown et al. 2020).
        """)]
    [Between(0, 1, BelowMost = true), MayChange]
    public required NumberPair Betas { get; init; }

    [Setting("optimizer.momentum", 0.95, """
        Decay of Muon's momentum, which is Nesterov's; 0.95 is Jordan et al.'s. Without effect on AdamW.
        """)]
    [Between(0, 1, BelowMost = true), Since(4, 0.95), MayChange]
    public required double Momentum { get; init; }

    [Setting("optimizer.adamw-rate", 1.0, """
        Learning rate of the parameters that Muon leaves to AdamW, as a multiple of optimizer.learning-rate; 1 is Liu et al.'s. Without
        effect where the kind is adamw.
        """)]
    [Above(0), Since(4, 1.0), MayChange]
    public required double AdamWRate { get; init; }

    [Setting("optimizer.epsilon", 1e-8, """
        Added to the root of the second moment. Not below the smallest normal number of 32 bits: 0 / 0 is no number.
        """)]
    [AtLeast(1.2e-38), MayChange]
    public required double Epsilon { get; init; }

    [Setting("optimizer.weight-decay", 0.1, "Decoupled decay (Loshchilov and Hutter 2019), on matrices only.")]
    [AtLeast(0), MayChange]
    public required double WeightDecay { get; init; }

    [Setting("optimizer.clip", 1.0, "Largest global norm of the gradient; 0 for none. 1 is GPT-3's and rarely bites after the warm-up.")]
    [AtLeast(0, Zero = "no clipping"), MayChange]
    public required double Clip { get; init; }

    [Setting("optimizer.label-smoothing", 0.0, """
        Share of the target that is spread over the whole vocabulary (Szegedy et al. 2016, section 7). None, so that the loss stays a code
        length.
        """)]
    [Between(0, 1, BelowMost = true), MayChange]
    public required double LabelSmoothing { get; init; }

    [Setting("optimizer.schedule", LearningRateSchedule.Cosine, """
        The learning rate after the warm-up. linear and cosine fall to the minimum at the last step. inverse-square-root is peak
        sqrt(warm-up / step), whatever the length of the run; that of Vaswani et al. 2017 has the peak (width warm-up)^-0.5.
        warmup-stable-decay stays at the peak and falls over the last steps, so that a run made longer before them loses nothing.
        """)]
    [MayChange]
    public required LearningRateSchedule Schedule { get; init; }

    [Setting("optimizer.decay-share", 0.2, """
        Share of all inner steps over which warmup-stable-decay falls; a fifth is where Hägele et al. 2024 find it level with cosine.
        Without effect on other schedules.
        """)]
    [Between(0, 1), Since(4, 0.2), MayChange]
    public required double DecayShare { get; init; }

    [Setting("optimizer.decay-shape", LearningRateDecay.SquareRoot, """
        How warmup-stable-decay falls: linear, or square-root for 1 - sqrt(x), with which Hägele et al. 2024 reach lower losses.
        """)]
    [Since(4, LearningRateDecay.SquareRoot), MayChange]
    public required LearningRateDecay DecayShape { get; init; }

    [Setting("optimizer.warmup-steps", 40, "Inner steps over which the learning rate rises from zero: a twentieth of the default run.")]
    [AtLeast(0), MayChange]
    public required int WarmupSteps { get; init; }

    [Setting("optimizer.outer-learning-rate", 0.7, """
        Learning rate of the outer step of averaging = nesterov, as in DiLoCo (Douillard et al. 2023). Without effect otherwise.
        """)]
    [Above(0), MayChange]
    public required double OuterLearningRate { get; init; }

    [Setting("optimizer.outer-momentum", 0.9, "Momentum of the outer step, likewise.")]
    [Between(0, 1, BelowMost = true), MayChange]
    public required double OuterMomentum { get; init; }

    [Setting("optimizer.mirror-slices", false, """
        true: before each update every device of a replica copies its neighbour's slice of parameters and moments, so that a device that is
        lost costs the step that it is lost in, and not all steps since the replica's last hand-over. It takes the memory of parameters and
        moments once more, and the time of copying them. A replica on one device has no neighbour; where
        the GPU is lost on which the vectors of a replica lie, it begins anew all the same. It changes no weight.
        """, PartOfAnswer = false)]
    [Since(5, false)]
    public required bool MirrorSlices { get; init; }

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

    /// <summary>
    /// The first inner step, from 0, whose learning rate depends on how many steps there are in all. Runs that differ only in their length
    /// have the same rates before the smaller of their numbers.
    /// </summary>
    public long FirstStepOfLength(long totalSteps) => Schedule switch
    {
        LearningRateSchedule.Constant or LearningRateSchedule.InverseSquareRoot => long.MaxValue,
        LearningRateSchedule.WarmupStableDecay => Math.Max(WarmupSteps, totalSteps - (long)Math.Round(DecayShare * totalSteps)),
        _ => WarmupSteps,
    };

    protected override IEnumerable<string> ProblemsTogether()
    {
        if (MinimumLearningRate > LearningRate)
            yield return $"optimizer.minimum-learning-rate = {MinimumLearningRate}: use 0 to optimizer.learning-rate ({LearningRate})";
        if (Schedule == LearningRateSchedule.InverseSquareRoot && WarmupSteps == 0)
            yield return "optimizer.warmup-steps = 0: optimizer.schedule = inverse-square-root falls from the end of the warm-up; "
                + "use 1 or more (4000 in Vaswani et al. 2017)";
    }
}
