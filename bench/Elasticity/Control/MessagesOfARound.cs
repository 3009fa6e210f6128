using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>How many messages a round takes and how large they are, by kind: simulated at two sizes, and as four workers really send them.</summary>
internal sealed class MessagesOfARound(Options options)
{
    public async Task RunAsync()
    {
        var large = Settings(4, 4, new ModelSettings("gpt2", 12, 12, 768, 1024, 50257, 0, null));
        var chunks = VectorManifest.ChunkCount(Architectures.LayoutOf(large.Model).Length);
        var seconds = options.Seconds("compute", 60);
        using var wire = new Wire();
        foreach (var replicas in options.Text("replicas", "4,400").Split(',').Select(int.Parse))
        {
            var (nodes, devices) = replicas <= 8 ? (replicas, 1) : ((replicas + 7) / 8, 8);
            var tally = new MessageTally();
            var rounds = new SimulatedRun(large with { Run = large.Run with { Replicas = replicas } }, nodes, devices, seconds, wire.Serializer, tally).Run();
            Console.WriteLine($"simulated: {replicas} replicas on {nodes} workers of {devices} and a seed, {chunks} chunks, nesterov, " +
                              $"{seconds.TotalSeconds:0} s of steps a round, each round scored and checkpointed; once the seed's node begins anew");
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
            foreach (var words in Enumerable.Range(0, 400_000).Chunk(10_000))
                await File.WriteAllTextAsync(Path.Combine(text, $"{words[0]}.txt"), string.Concat(words.Select(i => $"{i * 2654435761L % 9973:x} ")));
            var small = Settings(workers, options.Number("rounds", 11), new ModelSettings("gpt2", 2, 2, 64, 256, 257, 0, null));
            var settings = small with
            {
                Run = small.Run with { InnerSteps = options.Number("inner-steps", 50) },
                Corpus = small.Corpus with { Sources = [text], HeldOut = 0.1 },
            };
            var tally = new MessageTally();
            var (rounds, time) = await new RealRun(settings, workers, folder, tally).RunAsync();
            Console.WriteLine($"real: {workers} replicas on {workers} workers of 1 and a seed, 1 chunk, nesterov, rounds of {time.TotalSeconds / rounds:F1} s, each scored and checkpointed");
            tally.Write(rounds);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private static TrainingSettings Settings(int replicas, int rounds, ModelSettings model) => new(
        new RunSettings("bench", 42, replicas, 500, rounds, null, AveragingMethod.Nesterov), new BatchSettings(8, 8), model,
        new OptimizerSettings(1e-4, 1e-4, 0.9, 0.95, 1e-8, 0.1, 1.0, 0, LearningRateSchedule.Constant, 0, 0.7, 0.9),
        new CorpusSettings([], "byte", 0.01), new CheckpointSettings(1, 2), new EvaluationSettings(1, 4));
}
