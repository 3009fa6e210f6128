using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Simulation;

/// <summary>The run that is simulated. Nothing is computed for it, so its settings only have to be valid.</summary>
public static class VirtualRun
{
    public static readonly RunId Id = new("a");

    public static readonly TrainingSettings Settings = new()
    {
        Run = RunSettings.Defaults with { Name = "a", Replicas = 2, InnerSteps = 3, Rounds = 4 },
        Batch = new BatchSettings { Sequences = 8, Micro = 2 },
        Model = ModelSettings.Defaults with { Layers = 1, Heads = 2, Width = 16, Context = 16, Vocabulary = 257, Dropout = 0.1 },
        Optimizer = OptimizerSettings.Defaults with { LearningRate = 3e-3, MinimumLearningRate = 0, WarmupSteps = 2 },
        Corpus = CorpusSettings.Defaults with { HeldOut = 0.1 },
        Checkpoint = new CheckpointSettings { EveryRounds = 2, Keep = 2 },
        Evaluation = new EvaluationSettings { EveryRounds = 2, Sequences = 8 },
    };

    public static readonly RunCommand.Start Begin =
        new(Id, SettingsText.Write(Settings), 131_072, D("corpus"), 1000, 100, "1 cpu", D("manifest"));

    /// <summary>Stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));
}
