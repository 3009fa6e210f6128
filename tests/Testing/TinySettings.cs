using Elastic.Messages.Settings;

namespace Elastic.Testing;

/// <summary>The settings of a run of a few thousand parameters.</summary>
public static class TinySettings
{
    public static TrainingSettings Of(
        string name, int replicas = 1, AveragingMethod averaging = AveragingMethod.Average, int rounds = 4, int innerSteps = 3) => new()
        {
            Run = RunSettings.Defaults with
            {
                Name = name,
                Replicas = replicas,
                InnerSteps = innerSteps,
                Rounds = rounds,
                Averaging = averaging
            },
            Batch = BatchSettings.Defaults with { Sequences = 8, Micro = 2 },
            Model = ModelSettings.Defaults with { Layers = 1, Heads = 2, Width = 16, Context = 16, Vocabulary = 257, Dropout = 0.1 },
            Optimizer = OptimizerSettings.Defaults with { LearningRate = 3e-3, MinimumLearningRate = 0, WarmupSteps = 2 },
            Corpus = CorpusSettings.Defaults with { HeldOut = 0.1 },
            Checkpoint = new CheckpointSettings { EveryRounds = 2, Keep = 2 },
            Evaluation = EvaluationSettings.Defaults with { EveryRounds = 2, Sequences = 8 },
        };
}
