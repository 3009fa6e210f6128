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

    private static readonly string Text = SettingsText.Write(Settings);

    /// <summary>A request that starts the run, or resumes it.</summary>
    /// <param name="request">Number of the request, different for each.</param>
    public static RunRequest.Start Begin(int request = 0) => new(Name, By(request))
    {
        Settings = Text,
        Elements = 131_072,
        Corpus = D("corpus"),
        Manifest = D("manifest"),
        Blocks = 1000,
        HeldOutBlocks = 100,
        Arithmetic = Arithmetic,
    };

    /// <summary>The arithmetic of most nodes.</summary>
    public const string Arithmetic = "1 cpu";

    /// <summary>Who asks.</summary>
    public static Origin By(int request) => new($"request-{request}", "somebody", DateTimeOffset.UnixEpoch);

    /// <summary>A digest that stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));
}
