using Elastic.Messages.Settings;

namespace Elastic.Testing;

/// <summary>The settings of a run of a few thousand parameters.</summary>
public static class TinySettings
{
    public static TrainingSettings Of(string name, int replicas = 1, AveragingMethod averaging = AveragingMethod.Average, int rounds = 4, int innerSteps = 3) => new(
        new RunSettings(name, 42, replicas, innerSteps, rounds, null, averaging),
        new BatchSettings(8, 2),
        new ModelSettings("gpt2", 1, 2, 16, 16, 257, 0.1, null),
        new OptimizerSettings(3e-3, 0, 0.9, 0.95, 1e-8, 0.1, 1, 0, LearningRateSchedule.Cosine, 2, 0.7, 0.9),
        new CorpusSettings([], "byte", 0.1),
        new CheckpointSettings(2, 2),
        new EvaluationSettings(2, 8));
}
