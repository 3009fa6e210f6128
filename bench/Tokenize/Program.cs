// Megabytes of UTF-8 text per second on one core: every kind of tokenizer on the default corpus, interleaved with its peer; its letters run
// together, and letters by chance; and how fast a vocabulary is trained.
//
//   dotnet run -c Release --project bench/Tokenize [-- ROUNDS [MEGABYTES [FILE|FOLDER…]]]
//
// Each round measures every contestant once, so that a drift of the machine meets them all; the median counts.

using System.Diagnostics;
using System.Globalization;
using Elastic.Corpus;
using Elastic.Tokenize;
using SharpToken;

var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 7;
var megabytes = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 16;
var files = CorpusSources.Resolve(args.Skip(2).ToList());

TrainedTokenizer trained = null!;
foreach (var threads in Enumerable.Range(0, 8).Select(i => 1 << i)
    .Where(n => n < Environment.ProcessorCount).Append(Environment.ProcessorCount))
{
    var (training, counted) = (Stopwatch.StartNew(), TimeSpan.Zero);
    // On this thread: Progress<T> would report later.
    trained = await TokenizerTraining.TrainAsync(files, 0, 32_000, threads, new Counted(() => counted = training.Elapsed), default);
    var (megabytesRead, seconds) = (trained.Bytes / 1e6, training.Elapsed.TotalSeconds);
    Console.WriteLine(
        $"trained {trained.Tokens.Count} tokens on {megabytesRead:0.0} MB with {threads} threads in {seconds:0.0} s: "
        + $"{megabytesRead / seconds:0.0} MB/s; counting words alone {megabytesRead / counted.TotalSeconds:0.0} MB/s");
}

var reading = Stopwatch.StartNew();
var statistics = new ReadStatistics();
var texts = new List<string>();
foreach (var document in files.SelectMany(f => DocumentReader.Read(f, statistics)))
{
    texts.Add(document.Text);
    if (statistics.Bytes >= (long)megabytes * 1_000_000)
        break;
}
Console.WriteLine($"{statistics.Documents} documents, {statistics.Bytes / 1e6:0.0} MB, read in {reading.Elapsed.TotalSeconds:0.00} s");

var sharpToken = GptEncoding.GetEncoding("r50k_base");
var contestants = new List<(string Name, Action<string, List<int>> Encode)>
{
    ("byte", (text, into) => Tokenizer.Open("byte").Encode(text, into)),
    ("gpt2", (text, into) => Tokenizer.Open("gpt2").Encode(text, into)),
    ("SharpToken", (text, into) => into.AddRange(sharpToken.Encode(text))),
};
using var kinds = new Kinds(trained);
foreach (var (name, ours, peer) in kinds.All)
{
    contestants.Add((name, (text, into) => ours.Encode(text, into)));
    contestants.Add(($"  {Kinds.Peer}", (text, into) => into.AddRange(peer.Encode(text).Select(t => (int)t))));
}
Measure("text", texts, contestants);

// As many letters without a space, at most 10 MB: one word, for which no cache of words helps. The peers are left out.
var random = new Random(1);
var letters = new string([.. Enumerable.Range(0, (int)Math.Min(statistics.Bytes, 10_000_000)).Select(_ => (char)('a' + random.Next(26)))]);
var alone = contestants.FindAll(c => c.Name != "SharpToken" && !c.Name.Contains(Kinds.Peer, StringComparison.Ordinal));
Measure("without a space", [letters], alone);
Measure("the text's letters run together", [string.Concat(texts.Select(t => string.Concat(t.Where(char.IsAsciiLetter))))], alone);

void Measure(string what, List<string> measured, List<(string Name, Action<string, List<int>> Encode)> encoders)
{
    var bytes = measured.Sum(t => (long)System.Text.Encoding.UTF8.GetByteCount(t));
    var speeds = encoders.ConvertAll(_ => new List<double>());
    var tokens = new long[encoders.Count];
    var buffer = new List<int>();
    for (var round = 0; round <= rounds; round++)
        for (var i = 0; i < encoders.Count; i++)
        {
            tokens[i] = 0;
            var time = Stopwatch.StartNew();
            foreach (var text in measured)
            {
                buffer.Clear();
                encoders[i].Encode(text, buffer);
                tokens[i] += buffer.Count;
            }
            // The first round warms up.
            if (round > 0)
                speeds[i].Add(bytes / 1e6 / time.Elapsed.TotalSeconds);
        }

    Console.WriteLine($"{what}, {bytes / 1e6:0.0} MB:");
    for (var i = 0; i < encoders.Count; i++)
    {
        speeds[i].Sort();
        var (slowest, median, fastest) = (speeds[i][0], speeds[i][speeds[i].Count / 2], speeds[i][^1]);
        Console.WriteLine($"{encoders[i].Name,-20} {median,8:0.0} MB/s (from {slowest:0.0} to {fastest:0.0}), {tokens[i]} tokens");
    }
}
