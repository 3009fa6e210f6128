// Times whole training steps (forward, backward, clip, update) against PyTorch, whose update is AdamW, in turns: see README.md.
using System.Globalization;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Step;

string Option(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;
int Number(string name, int fallback) => int.Parse(Option(name, $"{fallback}"));

int batch = Number("batch", 4), tokens = Number("tokens", 64);
var shape = ModelSettings.Defaults with { Context = tokens, Vocabulary = Number("vocabulary", 50257) };
var model = Option("model", "small") switch
{
    "small" => shape with { Layers = 4, Heads = 4, Width = 128 },
    "124m" => shape with { Layers = Number("layers", 12), Heads = 12, Width = 768 },
    "llama-tiny" => Llama(shape with { Layers = 4, Heads = 4, Width = 128 }, keyHeads: 2, feedForward: 384),
    "smollm-135m" => Llama(shape with { Layers = 30, Heads = 9, Width = 576 }, keyHeads: 3, feedForward: 1536),
    "bert-tiny" => shape with { Architecture = "bert", Layers = 4, Heads = 4, Width = 128 },
    "transformer-tiny" => shape with { Architecture = "transformer", Layers = 2, Heads = 4, Width = 64 },
    var other => throw new ElasticException(
        $"--model {other}: use small, 124m, llama-tiny, smollm-135m, bert-tiny or transformer-tiny"),
};
int devices = Number("devices", 1), threads = Number("threads", Environment.ProcessorCount);
int micro = Number("micro", batch / devices), rounds = Number("rounds", 10), steps = Number("steps", 2);
var python = Option("python", "/usr/bin/python3");
if (model.Architecture is "bert" or "transformer" && python != "none")
    throw new ElasticException($"--model {Option("model", "")}: the peer has no {model.Architecture}; use --python none");
var recompute = Enum.Parse<RecomputeMode>(Option("recompute", "none"), ignoreCase: true);
var precision = Enum.Parse<TrainingPrecision>(Option("precision", "fp32"), ignoreCase: true);

if (args.Contains("--processes"))
{
    if (!args.Contains("--stage"))
    {
        StageProcesses.Run(Number("processes", 1), args.Contains("--limit") ? (long)Number("limit", 0) << 20 : null, args);
        return;
    }
    if (args.Contains("--group"))
        ControlGroup.Enter(Option("group", ""));
    StageProcesses.EndWithInput();
    await StageProcesses.StageAsync(
        Number("stage", 0), [.. Option("ports", "").Split(',').Select(p => int.Parse(p, CultureInfo.InvariantCulture))],
        new StagedTraining(model, batch, tokens, micro, threads, precision, steps),
        Option("parameters", ""));
    return;
}

var folder = Option("offload", "none") == "file" ? Option("folder", Path.Combine(Path.GetTempPath(), "elastic-offload")) : null;

if (args.Contains("--memory"))
{
    var mirrors = args.Contains("--mirror") ? ", mirrors" : "";
    ShardMemory.Measure(
        () => Open(Option("optimizer", "adamw")), devices,
        $"{precision}, zero {Number("zero", 1)}, offload {Option("offload", "none")}{mirrors}", steps);
    if (!args.Contains("--plain"))
        return;
}
if (args.Contains("--collective"))
{
    foreach (var count in new[] { 2, 4 })
    {
        using var times = new CollectiveTimes(Architectures.Open(model), count);
        var (sums, copies) = (new List<double>(), new List<double>());
        for (var round = -1; round < rounds; round++)
        {
            (var sum, var copy) = (times.ReduceScatter(), times.Copy());
            if (round < 0)
                continue;                                                // the first turn allocates
            sums.Add(sum);
            copies.Add(copy);
        }
        var ratio = sums.Zip(copies, (s, c) => s / c).ToList();
        Console.WriteLine(
            $"reduce-scatter of {times.Elements / 1e6:F0}M floats over {count} devices {Median(sums) / 1e9,6:F1} GB/s   " +
            $"copying {Median(copies) / 1e9:F1} GB/s   ratio {Median(ratio):P0}");
    }
    return;
}

Console.WriteLine(
    $"{model.Signature}, batch {batch} x {tokens} in micro-batches of {micro}, {precision}, recompute {recompute}; "
    + InstructionSet.Describe().Name);
if (args.Contains("--plan"))
{
    PeakMemory.Show(() => Open(Option("optimizer", "adamw")), steps);
    return;
}
if (args.Contains("--splits"))
{
    SplitContest.Run(
        (count, each, split) => new Ours(
            model, batch, tokens, micro, count, each, Option("optimizer", "adamw"), recompute, precision, split: split),
        devices, threads, rounds, steps, Console.Out);
    return;
}
using var ours = Open(Option("optimizer", "adamw"));
if (args.Contains("--against"))
{
    using var other = Open(Option("against", "adamw"));
    OptimizerContest.Run((Option("optimizer", "adamw"), ours), (Option("against", "adamw"), other), rounds, steps);
    return;
}
if (args.Contains("--plain"))
{
    // What ZeRO-2, files and mirrors cost: steps with and without them in turns.
    using var plain = new Ours(model, batch, tokens, micro, devices, threads, Option("optimizer", "adamw"), recompute, precision);
    OptimizerContest.Run(("with", ours), ("plain", plain), rounds, steps);
    return;
}
using var peer = python == "none" ? null : new Peer(python, model, batch, tokens, devices * threads, args.Contains("--foreach"));
ours.Run(2);
peer?.Run(2);
Array.Clear(ours.PhaseSeconds);
ours.Times.Clear();

var (mine, theirs, ratios) = (new List<double>(), new List<double>(), new List<double>());
for (var round = 0; round < rounds; round++)
{
    mine.Add(ours.Run(steps) / steps * 1000);
    theirs.Add((peer?.Run(steps) ?? double.NaN) / steps * 1000);
    ratios.Add(theirs[^1] / mine[^1]);
}
var phases = string.Join(" + ", ours.PhaseSeconds.Select(s => $"{s * 1000 / (rounds * steps):F0}"));
Console.WriteLine(
    $"elastic  {Median(mine),7:F0} ms/step, best {mine.Min():F1}   (accumulate + fold + update: {phases})   "
    + $"{devices} devices x {threads} threads");
Console.WriteLine($"         {ours.Plan.Memory.ActivationBytes / (1 << 20),7:F0} MiB of activations and scratch");
Console.WriteLine($"pytorch  {Median(theirs),7:F0} ms/step   {devices * threads} threads");
var (low, high) = (Quantile(ratios, 0.25), Quantile(ratios, 0.75));
Console.WriteLine($"ratio    {Median(ratios),7:F2}x   median of {rounds} turns of {steps} steps; quartiles {low:F2} to {high:F2}");
if (args.Contains("--change"))
{
    var changes = Enumerable.Range(0, rounds).Select(_ => (ours.Change() - ours.Run(1)) * 1000).ToList();
    Console.WriteLine($"change   {Median(changes),7:F0} ms   a step after a device was replaced takes so much longer than the next one");
}
if (args.Contains("--operators"))
{
    foreach (var (name, seconds) in ours.Times.Seconds.OrderByDescending(t => t.Value))
        Console.WriteLine($"  {name,-28} {seconds * 1000 / (rounds * steps),7:F1} ms  {seconds / ours.PhaseSeconds.Sum(),6:P1}");
}

Ours Open(string optimizer) =>
    new(
        model, batch, tokens, micro, devices, threads, optimizer, recompute, precision, Number("zero", 1), folder,
        args.Contains("--mirror"), ReplicaSplit.Parse(Option("split", "none")));

static ModelSettings Llama(ModelSettings shape, int keyHeads, int feedForward) => shape with
{
    Architecture = "llama",
    Llama = shape.Llama with { KeyHeads = keyHeads, FeedForward = feedForward, TiedEmbeddings = true },
};

static double Median(List<double> values) => Quantile(values, 0.5);

static double Quantile(List<double> values, double share) => values.Order().ElementAt((int)(share * (values.Count - 1)));
