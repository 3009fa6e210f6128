using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Simulation;

/// <summary>The run that is simulated. Nothing is computed for it, so its settings only have to be valid.</summary>
public static class VirtualRun
{
    public static readonly RunId Id = new("a-00000000");

    public static readonly RunName Name = new("a");

    private static readonly string Settings = SettingsText.Write(new TrainingSettings(
        new RunSettings("a", 42, 2, 3, 4, null, AveragingMethod.Average),
        new BatchSettings(8, 2),
        new ModelSettings("gpt2", 1, 2, 16, 16, 257, 0.1, null),
        new OptimizerSettings(3e-3, 0, 0.9, 0.95, 1e-8, 0.1, 1, 0, LearningRateSchedule.Cosine, 2, 0.7, 0.9),
        new CorpusSettings([], "byte", 0.1),
        new CheckpointSettings(2, 2),
        new EvaluationSettings(2, 8)));

    /// <summary>Somebody starts the run, or has it go on.</summary>
    /// <param name="request">Another one for each time that somebody asks.</param>
    public static RunRequest.Start Begin(int request = 0) => new(Name, By(request))
    {
        Settings = Settings,
        Elements = 131_072,
        Corpus = D("corpus"),
        Manifest = D("manifest"),
        Blocks = 1000,
        HeldOutBlocks = 100,
        Arithmetic = Arithmetic,
    };

    /// <summary>What most nodes compute with.</summary>
    public const string Arithmetic = "1 cpu";

    /// <summary>Who asks.</summary>
    public static Origin By(int request) => new($"request-{request}", "somebody", DateTimeOffset.UnixEpoch);

    /// <summary>Stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));
}
