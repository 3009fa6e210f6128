// Megabytes of UTF-8 text per second on one core: byte and gpt2 on the default corpus, interleaved with SharpToken, the peer.
//
//   dotnet run -c Release --project bench/Tokenize [-- ROUNDS [MEGABYTES [FILE|FOLDER…]]]
//
// Each round measures every contestant once, so that a drift of the machine meets them all; the median counts.

using System.Diagnostics;
using System.Globalization;
using Elastic.Corpus;
using SharpToken;

var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 7;
var megabytes = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 16;

var reading = Stopwatch.StartNew();
var statistics = new ReadStatistics();
var texts = new List<string>();
foreach (var document in CorpusSources.Resolve(args.Skip(2).ToList()).SelectMany(f => DocumentReader.Read(f, statistics)))
{
    texts.Add(document.Text);
    if (statistics.Bytes >= (long)megabytes * 1_000_000)
        break;
}
Console.WriteLine($"{statistics.Documents} documents, {statistics.Bytes / 1e6:0.0} MB, read in {reading.Elapsed.TotalSeconds:0.00} s");

var sharpToken = GptEncoding.GetEncoding("r50k_base");
var contestants = new List<(string Name, Action<string, List<int>> Encode)>
{
    ("byte", Tokenizer.Open("byte").Encode),
    ("gpt2", Tokenizer.Open("gpt2").Encode),
    ("SharpToken", (text, into) => into.AddRange(sharpToken.Encode(text))),
};
var speeds = contestants.ConvertAll(_ => new List<double>());
var tokens = new long[contestants.Count];
var buffer = new List<int>();
for (var round = 0; round <= rounds; round++)
    for (var i = 0; i < contestants.Count; i++)
    {
        tokens[i] = 0;
        var time = Stopwatch.StartNew();
        foreach (var text in texts)
        {
            buffer.Clear();
            contestants[i].Encode(text, buffer);
            tokens[i] += buffer.Count;
        }
        // The first round warms up.
        if (round > 0)
            speeds[i].Add(statistics.Bytes / 1e6 / time.Elapsed.TotalSeconds);
    }

for (var i = 0; i < contestants.Count; i++)
{
    speeds[i].Sort();
    var (slowest, median, fastest) = (speeds[i][0], speeds[i][speeds[i].Count / 2], speeds[i][^1]);
    Console.WriteLine($"{contestants[i].Name,-12} {median,8:0.0} MB/s (from {slowest:0.0} to {fastest:0.0}), {tokens[i]} tokens");
}
