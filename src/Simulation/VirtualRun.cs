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

    public static readonly RunCommand.Start Begin = new(Id, SettingsText.Write(new TrainingSettings(
        new RunSettings("a", 42, 2, 3, 4, null, AveragingMethod.Average),
        new BatchSettings(8, 2),
        new ModelSettings("gpt2", 1, 2, 16, 16, 257, 0.1, null),
        new OptimizerSettings(3e-3, 0, 0.9, 0.95, 1e-8, 0.1, 1, 0, LearningRateSchedule.Cosine, 2, 0.7, 0.9),
        new CorpusSettings([], "byte", 0.1),
        new CheckpointSettings(2, 2),
        new EvaluationSettings(2, 8))), 131_072, D("corpus"), 1000, 100, "1 cpu", D("manifest"));

    /// <summary>Stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));
}
