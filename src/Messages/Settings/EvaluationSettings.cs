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
}
