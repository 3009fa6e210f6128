// Times the averaging of a model among several processes on this machine against one plain TCP stream between two of them, in turns, and
// shows where the time goes: see README.md. Started with the word "node" it is one of these processes.
using Elastic.Bench;
using Elastic.Bench.Mean;
using Elastic.Coordination;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

if (args is ["node", ..])
    return await Node.RunAsync(args[1], int.Parse(args[2]), args[3]);

string Option(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;
int Number(string name, int fallback) => int.Parse(Option(name, $"{fallback}"));

int turns = Number("turns", 10), nodes = Number("nodes", 4), streamMiB = Number("stream-mib", 2048);
// For a profiler: the averaging and nothing else.
var alone = args.Contains("--alone");
var method = Option("averaging", "average") == "nesterov" ? AveragingMethod.Nesterov : AveragingMethod.Average;
var model = new ModelSettings("gpt2", Number("layers", 12), 1, Number("width", 768), 1024, Number("vocabulary", 50257), 0, null);
var memory = Directory.Exists("/dev/shm") ? "/dev/shm," : "";
var places = Option("data", memory + Path.GetTempPath()).Split(',', StringSplitOptions.RemoveEmptyEntries);

var layout = Architectures.LayoutOf(model);
var traffic = new Traffic(layout, nodes, method, Dispatch.ChunksTogether);
Console.WriteLine($"{layout.Length / 1e6:F1} M parameters in {layout.Chunks} chunks, {nodes} nodes, {method.ToString().ToLowerInvariant()}, " +
                  $"{Environment.ProcessorCount} cores, medians of {turns} turns (quartiles)");

var contenders = new List<Contender>();
try
{
    foreach (var place in places)
        contenders.Add(await Contender.StartAsync(place, nodes, Settings(), traffic));
    var stream = new Samples();
    for (var turn = 0; turn <= turns; turn++)
    {
        // The first turn warms up. Each turn starts with another contender, so that a drift of the machine meets them all.
        var bytesPerSecond = alone ? double.NaN : await contenders[0].StreamAsync((long)streamMiB << 20);
        if (turn > 0 && !alone)
            stream.Add(bytesPerSecond);
        for (var i = 0; i < contenders.Count; i++)
            await contenders[(turn + i) % contenders.Count].TakeTurnAsync(turn, turn == 0 ? null : bytesPerSecond, alone ? [] : Parts.All);
    }

    Report.Write(stream, contenders, traffic);
}
finally
{
    foreach (var contender in contenders)
        await contender.DisposeAsync();
}

return 0;

string Settings() => SettingsText.Write(new TrainingSettings(
    new RunSettings("bench", 42, nodes, 1, 1, null, method), new BatchSettings(1, 1), model,
    new OptimizerSettings(1e-3, 1e-4, 0.9, 0.95, 1e-8, 0.1, 1.0, 0, LearningRateSchedule.Constant, 0, 0.7, 0.9),
    new CorpusSettings([], "byte", 0), new CheckpointSettings(1, 1), new EvaluationSettings(1, 1)));
