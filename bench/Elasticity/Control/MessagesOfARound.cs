using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>
/// How many messages a round takes and how large they are, by kind: simulated at two sizes, and as four workers really send them.
/// </summary>
internal sealed class MessagesOfARound(Options options)
{
    public async Task RunAsync()
    {
        var large = Settings(4, 4, Model(layers: 12, heads: 12, width: 768, context: 1024, vocabulary: 50257));
        var chunks = VectorManifest.ChunkCount(Architectures.LayoutOf(large.Model).Length);
        var seconds = options.Seconds("compute", 60);
        using var wire = new Wire();
        foreach (var replicas in options.Text("replicas", "4,400").Split(',').Select(int.Parse))
        {
            var (nodes, devices) = replicas <= 8 ? (replicas, 1) : ((replicas + 7) / 8, 8);
            var tally = new MessageTally();
            var settings = large with { Run = large.Run with { Replicas = replicas } };
            var rounds = new SimulatedRun(settings, nodes, devices, seconds, wire.Serializer, tally).Run();
            Console.WriteLine($"simulated: {replicas} replicas on {nodes} workers of {devices} and a seed, {chunks} chunks, nesterov, " +
                              $"{seconds.TotalSeconds:0} s of steps a round, each round scored and checkpointed; " +
                              "once the seed's node begins anew");
            tally.Write(rounds);
            Console.WriteLine();
        }

        if (options.Number("real-workers", 4) is > 0 and var workers)
            await CountRealAsync(workers);
    }

    private async Task CountRealAsync(int workers)
    {
        var folder = Path.Combine(options.Folder, $"elastic-bench-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        try
        {
            var text = Directory.CreateDirectory(Path.Combine(folder, "text")).FullName;
            foreach (var words in Enumerable.Range(0, 400_000).Chunk(2_000))
                await File.WriteAllTextAsync(
                    Path.Combine(text, $"{words[0]}.txt"), string.Concat(words.Select(i => $"{i * 2654435761L % 9973:x} ")));
            var small = Settings(workers, options.Number("rounds", 11),
                Model(layers: 2, heads: 2, width: 64, context: 256, vocabulary: 257));
            var settings = small with
            {
                Run = small.Run with { InnerSteps = options.Number("inner-steps", 50) },
                Corpus = small.Corpus with { Sources = [text], HeldOut = 0.1 },
            };
            var tally = new MessageTally();
            var (rounds, time) = await new RealRun(settings, workers, folder, tally).RunAsync();
            Console.WriteLine($"real: {workers} replicas on {workers} workers of 1 and a seed, 1 chunk, nesterov, " +
                              $"rounds of {time.TotalSeconds / rounds:F1} s, each scored and checkpointed");
            tally.Write(rounds);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private static ModelSettings Model(int layers, int heads, int width, int context, int vocabulary) =>
        ModelSettings.Defaults with { Layers = layers, Heads = heads, Width = width, Context = context, Vocabulary = vocabulary };

    private static TrainingSettings Settings(int replicas, int rounds, ModelSettings model) => new()
    {
        Run = RunSettings.Defaults with
        {
            Name = "bench",
            Replicas = replicas,
            InnerSteps = 500,
            Rounds = rounds,
            Averaging = AveragingMethod.Nesterov,
        },
        Batch = BatchSettings.Defaults with { Sequences = 8, Micro = 8 },
        Model = model,
        Optimizer = OptimizerSettings.Defaults with
        {
            LearningRate = 1e-4,
            MinimumLearningRate = 1e-4,
            Schedule = LearningRateSchedule.Constant,
            WarmupSteps = 0,
        },
        Corpus = CorpusSettings.Defaults,
        Checkpoint = new CheckpointSettings { EveryRounds = 1, Keep = 2 },
        Evaluation = EvaluationSettings.Defaults with { EveryRounds = 1, Sequences = 4 },
    };
}
