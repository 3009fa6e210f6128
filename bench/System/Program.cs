// Times inner steps through the whole actor system (readers, trainers, averaging, blobs, journal, checkpoints) against a bare loop
// over the same step, in turns: see README.md.
using System.Diagnostics;
using Elastic.Actors;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Step;

string Option(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;
int Number(string name, int fallback) => int.Parse(Option(name, $"{fallback}"));

var big = Option("model", "tiny") == "small";
int devices = Number("devices", 1), turns = Number("turns", 8), rounds = Number("rounds", 4),
    innerSteps = Number("inner-steps", big ? 50 : 20);
var threads = Math.Max(1, Environment.ProcessorCount / devices);
var (tokens, batch) = big ? (64, 4) : (128, 16);
var model = ModelSettings.Defaults with { Layers = 4, Heads = 4, Width = 128, Context = tokens, Vocabulary = big ? 50257 : 257 };
var settings = new TrainingSettings
{
    Run = RunSettings.Defaults with { Name = "bench", InnerSteps = innerSteps, Rounds = rounds },
    Batch = BatchSettings.Defaults with { Sequences = batch, Micro = batch / 2 },
    Model = model,
    Optimizer = OptimizerSettings.Defaults with
    {
        LearningRate = 1e-3,
        MinimumLearningRate = 1e-4,
        Schedule = LearningRateSchedule.Constant,
        WarmupSteps = 0,
    },
    Corpus = CorpusSettings.Defaults with { Tokenizer = big ? "gpt2" : "byte" },
    Checkpoint = new CheckpointSettings { EveryRounds = 5, Keep = 3 },
    Evaluation = EvaluationSettings.Defaults with { EveryRounds = 1000, Sequences = 1 },
};

var data = Directory.CreateTempSubdirectory("elastic-bench-").FullName;
try
{
    await using var node = await ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = $"cpu:{devices}", ThreadsPerDevice = threads, DataDir = data });
    var corpus = await node.BuildCorpusAsync(settings.Corpus, null, CancellationToken.None);
    using var bare = new Ours(model, batch, tokens, batch / 2, devices, threads);
    Console.WriteLine(
        $"{model.Signature}, batch {batch} x {tokens}, {devices} devices x {threads} threads, {rounds} rounds x {innerSteps} steps a turn");

    bare.Run(innerSteps);
    await SystemAsync(0);
    var (bareMs, systemMs, ratios) = (new List<double>(), new List<double>(), new List<double>());
    for (var turn = 1; turn <= turns; turn++)
    {
        bareMs.Add(bare.Run(rounds * innerSteps) * 1000 / (rounds * innerSteps));
        systemMs.Add(await SystemAsync(turn));
        ratios.Add(systemMs[^1] / bareMs[^1]);
    }

    Console.WriteLine($"bare loop     {Quantile(bareMs, 0.5),8:F2} ms/step");
    Console.WriteLine($"actor system  {Quantile(systemMs, 0.5),8:F2} ms/step");
    Console.WriteLine($"overhead      {(Quantile(ratios, 0.5) - 1) * 100,8:F1} %   median of {turns} turns; quartiles " +
                      $"{(Quantile(ratios, 0.25) - 1) * 100:F1} to {(Quantile(ratios, 0.75) - 1) * 100:F1} %");

    // From the first step to the last, all round boundaries between them included.
    async Task<double> SystemAsync(int turn)
    {
        var mine = settings with { Run = settings.Run with { Name = $"bench-{turn}" } };
        if (await node.StartRunAsync(mine, corpus, Origins.Now("bench")) is RunReply.Refused refused)
            throw new ElasticException(refused.Why);
        (long At, long Steps)? first = null, last = null;
        await foreach (var view in node.WatchAsync(new RunName(mine.Run.Name), CancellationToken.None))
        {
            if (view.Failure is { } failure)
                throw new ElasticException(failure);
            if (view.Steps > 0 && view.Steps != last?.Steps)
                last = (Stopwatch.GetTimestamp(), view.Steps);
            first ??= last;
        }

        return Stopwatch.GetElapsedTime(first!.Value.At, last!.Value.At).TotalMilliseconds / (last.Value.Steps - first.Value.Steps);
    }
}
finally
{
    Directory.Delete(data, true);
}

static double Quantile(List<double> values, double share) => values.Order().ElementAt((int)(share * (values.Count - 1)));
