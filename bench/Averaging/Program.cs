// Times the averaging of a model among several processes on this machine against one plain TCP stream between two of them, in turns, and
// shows where the time goes: see README.md. Started with the word "node" it is one of these processes.
using System.Globalization;
using Elastic.Bench;
using Elastic.Bench.Mean;
using Elastic.Coordination;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

if (args is ["node", ..])
    return await Node.RunAsync(args[1], int.Parse(args[2]), args[3], args[4], double.Parse(args[5], CultureInfo.InvariantCulture));

string Option(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;
int Number(string name, int fallback) => int.Parse(Option(name, $"{fallback}"));

int turns = Number("turns", 10), nodes = Number("nodes", 4), streamMiB = Number("stream-mib", 2048);
// Of each node's link, made by the benchmark itself; 0 for the loopback as it is.
var linkBytesPerSecond = double.Parse(Option("gbit-per-second", "0"), CultureInfo.InvariantCulture) * 1e9 / 8;
// For a profiler: the averaging and nothing else.
var alone = args.Contains("--alone");
var method = Option("averaging", "average") == "nesterov" ? AveragingMethod.Nesterov : AveragingMethod.Average;
var model = ModelSettings.Defaults with
{
    Layers = Number("layers", 12),
    Heads = Math.Max(1, Number("width", 768) / 64),
    Width = Number("width", 768),
    Context = 1024,
    Vocabulary = Number("vocabulary", 50257),
};
var memory = Directory.Exists("/dev/shm") ? "/dev/shm," : "";
var places = Option("data", memory + Path.GetTempPath()).Split(',', StringSplitOptions.RemoveEmptyEntries);

var layout = Architectures.LayoutOf(model);
var traffic = new Traffic(layout, nodes, method, AverageWork.ChunksTogether);
Console.WriteLine($"{layout.Length / 1e6:F1} M parameters in {layout.Chunks} chunks, {nodes} nodes, " +
                  $"{method.ToString().ToLowerInvariant()}, {Environment.ProcessorCount} cores, medians of {turns} turns (quartiles)"
                  + (linkBytesPerSecond > 0 ? $"; each node receives {linkBytesPerSecond / 1e6:0} MB/s at most" : ""));

var contenders = new List<Contender>();
try
{
    foreach (var place in places)
        foreach (var tls in args.Contains("--tls") ? new[] { false, true } : [false])
            contenders.Add(await Contender.StartAsync(place, tls, nodes, Settings(), traffic, linkBytesPerSecond));
    var stream = new Samples();
    for (var turn = 0; turn <= turns; turn++)
    {
        // The first turn warms up. Each turn starts with another contender, so that a drift of the machine meets them all.
        var bytesPerSecond = alone ? double.NaN : await contenders[0].StreamAsync((long)streamMiB << 20);
        if (turn > 0 && !alone)
            stream.Add(bytesPerSecond);
        for (var i = 0; i < contenders.Count; i++)
            await contenders[(turn + i) % contenders.Count].TakeTurnAsync(turn, turn == 0 ? null : bytesPerSecond, alone ? [] : Parts.All);
        // The one without TLS is before each one with it.
        for (var i = 1; turn > 0 && i < contenders.Count; i++)
            if (contenders[i].IsEncrypted)
                contenders[i].AgainstPlain.Add(contenders[i].Seconds.Last / contenders[i - 1].Seconds.Last);
    }

    Report.Write(stream, contenders, traffic);
}
finally
{
    foreach (var contender in contenders)
        await contender.DisposeAsync();
}

return 0;

string Settings() => SettingsText.Write(new TrainingSettings
{
    Run = RunSettings.Defaults with { Name = "bench", Replicas = nodes, InnerSteps = 1, Rounds = 1, Averaging = method },
    Batch = BatchSettings.Defaults with { Sequences = 1, Micro = 1 },
    Model = model,
    Optimizer = OptimizerSettings.Defaults with
    {
        LearningRate = 1e-3,
        MinimumLearningRate = 1e-4,
        Schedule = LearningRateSchedule.Constant,
        WarmupSteps = 0,
    },
    Corpus = CorpusSettings.Defaults with { HeldOut = 0 },
    Checkpoint = new CheckpointSettings { EveryRounds = 1, Keep = 1 },
    Evaluation = EvaluationSettings.Defaults with { EveryRounds = 1, Sequences = 1 },
});
