namespace Elastic.Messages.Settings;

/// <summary>Block <c>checkpoint</c>: when a version is made durable, and how many are kept.</summary>
public sealed record CheckpointSettings : SettingsGroup
{
    public static CheckpointSettings Defaults { get; } = SettingsRecord.DefaultsOf<CheckpointSettings>();

    [Setting("checkpoint.every-rounds", 5, """
        Rounds between two checkpoints; the last round always makes one. More often costs disk writes, less often costs computing again
        after a crash.
        """, PartOfAnswer = false)]
    [AtLeast(1)]
    public required int EveryRounds { get; init; }

    [Setting("checkpoint.keep", 3, """
        Newest checkpoints that are kept: more than one, because the newest may be the one that a full disk cut short.
        """, PartOfAnswer = false)]
    [Between(1, 1000)]
    public required int Keep { get; init; }
}
