using System.Globalization;

namespace Elastic.Messages.Settings;

/// <summary>Block <c>evaluation</c>: how often the held-out text is scored, and how much of it.</summary>
public sealed record EvaluationSettings : SettingsGroup
{
    public static EvaluationSettings Defaults { get; } = SettingsRecord.DefaultsOf<EvaluationSettings>();

    [Setting("evaluation.every-rounds", 5, """
        Rounds between two scores of the held-out text; the first and the last version are always scored.
        """, PartOfAnswer = false)]
    [AtLeast(1)]
    public required int EveryRounds { get; init; }

    [Setting("evaluation.sequences", 64, """
        Held-out blocks per score, evenly spread; fewer where there are not so many. Fixed, so that two scores of one run compare.
        """, PartOfAnswer = false)]
    [Between(1, 1 << 20)]
    public required int Sequences { get; init; }

    [Setting("evaluation.patience", 0, """
        Early stopping: ends the run when so many scores in a row were no better than the best one before them; 0 never does. The best
        version has a checkpoint then, which is kept beside the newest ones. Where this is set, evaluation.every-rounds and
        evaluation.sequences decide the answer, too.
        """)]
    [Between(0, 1_000_000, Zero = "never"), Since(4, 0)]
    public required int Patience { get; init; }

    [Setting("evaluation.target-loss", null, "Ends the run with the first score of at most this loss, nats per token; null never does.")]
    [Above(0), Since(4, null)]
    public required double? TargetLoss { get; init; }

    /// <summary>What may end the run, as it is set; empty where nothing may.</summary>
    public string End => Patience > 0 ? string.Create(CultureInfo.InvariantCulture, $"evaluation.patience = {Patience}")
        : TargetLoss is { } loss ? string.Create(CultureInfo.InvariantCulture, $"evaluation.target-loss = {loss}") : "";

    /// <summary>True where a score may end the run.</summary>
    public bool MayEndRuns => Patience > 0 || TargetLoss is not null;
}
