using System.Text;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;

namespace Elastic.Simulation;

/// <summary>The run that is simulated. Nothing is computed for it, so its settings only have to be valid.</summary>
public static class VirtualRun
{
    public static readonly RunId Id = new("a-00000000");

    public static readonly RunName Name = new("a");

    public static readonly TrainingSettings Settings = new()
    {
        Run = RunSettings.Defaults with { Name = "a", Replicas = 2, InnerSteps = 3, Rounds = 4 },
        Batch = BatchSettings.Defaults with { Sequences = 8, Micro = 2 },
        Model = ModelSettings.Defaults with { Layers = 1, Heads = 2, Width = 16, Context = 16, Vocabulary = 257, Dropout = 0.1 },
        Optimizer = OptimizerSettings.Defaults with { LearningRate = 3e-3, MinimumLearningRate = 0, WarmupSteps = 2 },
        Corpus = CorpusSettings.Defaults with { HeldOut = 0.1 },
        Checkpoint = new CheckpointSettings { EveryRounds = 2, Keep = 2 },
        Evaluation = EvaluationSettings.Defaults with { EveryRounds = 2, Sequences = 8 },
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

    /// <summary>A request that starts a run of a plan's replicas, rounds and elements, whose settings change in mid-run.</summary>
    public static RunRequest.Start BeginOf(int request, RunPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var run = Settings.Run with { Replicas = plan.ReplicasAt(0), Rounds = plan.Timeline.Rounds };
        return Begin(request) with { Settings = SettingsText.Write(Settings with { Run = run }), Elements = plan.Elements };
    }

    /// <summary>A plan of three steps of eight sequences of 16 tokens in each replica's round.</summary>
    /// <param name="missing">Samples that the last round lacks.</param>
    public static RunPlan PlanOf(int replicas, int rounds, int chunks, int missing = 0) => new()
    {
        Timeline = new Timeline(RunLength.Segments(
            ShapeOf(replicas), new RunEnd(rounds, missing > 0 ? rounds * ShapeOf(replicas).SamplesPerRound - missing : null), [])),
        Context = 16,
        Elements = ElementsOf(chunks),
        EvaluateEvery = 2,
        CheckpointEvery = 2,
        CheckpointsKept = 2,
    };

    private static Segment ShapeOf(int replicas) =>
        new() { FromRound = 0, Rounds = 1, Replicas = replicas, InnerSteps = 3, Sequences = 8, MicroBatches = 4 };

    /// <summary>Elements of a model that has so many chunks.</summary>
    public static long ElementsOf(int chunks) => (long)chunks * VectorManifest.ChunkElements - 1;

    /// <summary>The arithmetic of most nodes.</summary>
    public const string Arithmetic = "cpu 2";

    /// <summary>Who asks.</summary>
    public static Origin By(int request) => new($"request-{request}", "somebody", DateTimeOffset.UnixEpoch);

    /// <summary>A digest that stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));
}
