namespace Elastic.Messages.Settings;

/// <summary>
/// Everything that decides the weights of a run, together with the corpus itself. Nothing in here says where
/// the run is computed: that is <see cref="NodeSettings"/>.
/// </summary>
public sealed record TrainingSettings : SettingsGroup
{
    public static TrainingSettings Defaults { get; } = SettingsRecord.DefaultsOf<TrainingSettings>();

    public required RunSettings Run { get; init; }

    public required BatchSettings Batch { get; init; }

    public required ModelSettings Model { get; init; }

    public required OptimizerSettings Optimizer { get; init; }

    public required CorpusSettings Corpus { get; init; }

    public required CheckpointSettings Checkpoint { get; init; }

    public required EvaluationSettings Evaluation { get; init; }
}
