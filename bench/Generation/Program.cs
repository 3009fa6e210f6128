// Tokens that a model writes in a second, with and without a cache of keys and values, against the bound that memory sets: every step
// reads all weights once, whatever the number of texts, and the keys and values of each.
using Elastic.Bench.Generation;
using Elastic.Messages.Settings;

var isTiny = args.Contains("--tiny");
var threads = Number("--threads", Environment.ProcessorCount);
var turns = Number("--turns", isTiny ? 2 : 20);
var prompt = Number("--prompt", isTiny ? 20 : 512);
var model = isTiny
    ? ModelSettings.Defaults with { Layers = 2, Heads = 2, Width = 32, Context = 64, Vocabulary = 257 }
    : ModelSettings.Defaults with { Layers = 12, Heads = 12, Width = 768, Context = 1024, Vocabulary = 50257 };
using var contest = new GenerationContest(model, prompt, threads);
var bandwidth = contest.CopyBandwidth(turns);
Console.WriteLine($"{model.Signature}, {contest.WeightBytes / 1e6:F0} MB of weights, {threads} threads, texts of {prompt} tokens");
Console.WriteLine($"copying memory    {bandwidth / 1e9,8:F1} GB/s");
Console.WriteLine($"a prompt          {prompt / contest.Prompt(Math.Max(1, turns / 10)),8:F1} tokens/s");
foreach (var texts in new[] { 1, 8 })
{
    var (step, bound) = (contest.Step(texts, turns), bandwidth / contest.WeightBytes);
    var withCaches = bandwidth / (contest.WeightBytes + texts * contest.CacheBytes);
    var without = contest.WithoutCache(texts, Math.Max(1, turns / 10));
    Console.WriteLine(
        $"{texts} at once       {texts / step,8:F1} tokens/s: {1 / step / bound:P0} of the bound of the weights, {texts * bound:F1}, "
        + $"{1 / step / withCaches:P0} of that of weights and caches, {texts * withCaches:F1}; {texts / without:F2} without a cache");
}

var answers = model with
{
    Architecture = "transformer",
    Layers = Math.Min(model.Layers, 6),
    Heads = Math.Min(model.Heads, 8),
    Width = Math.Min(model.Width, 512),
};
using var answering = new GenerationContest(answers, prompt, threads);
var (length, beams) = (isTiny ? 8 : 64, 4);
var (shared, apart) = (answering.Answer(beams, length, true), answering.Answer(beams, length, false));
Console.WriteLine(
    $"{answers.Signature}: {length} tokens that answer {length}, {beams} beams, {shared:F2} s; {apart:F2} s with the source in every pass "
    + $"and without a cache, {apart / shared:F1} times as long");

int Number(string name, int otherwise)
{
    var at = Array.IndexOf(args, name);
    return at < 0 ? otherwise : int.Parse(args[at + 1]);
}
