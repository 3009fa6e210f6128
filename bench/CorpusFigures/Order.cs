using System.Diagnostics;
using System.Globalization;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.CorpusFigures;

/// <summary>
/// What it takes to find the first sample of a long order, of one source and of a mixture of 22, also of one that is read while its corpus
/// is built, and to read it.
/// </summary>
internal static class Order
{
    private const int Context = 1024, Sources = 22;

    public static void Run(int samples)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-bench-").FullName;
        try
        {
            var corpus = Corpus(Path.Combine(folder, "corpus"));
            var cut = new SampleCut(SampleKind.Blocks, Context);
            // As many shards as so many samples fill, of which one is there to be read.
            var tokens = CorpusWriter.TokensPerShard;
            var count = Math.Max(Sources, (int)(samples * (long)Context / tokens));
            ShardInfo[] shards = [.. Enumerable.Range(0, count).Select(i => new ShardInfo(
                $"train-{i:00000}.tokens", Digest.Of([]), tokens, tokens, 1) { Source = $"source {i * (long)Sources / count:00}" })];
            string[] mixture = [.. Enumerable.Range(0, Sources).Select(i => $"source {i:00}={1 + i % 4 * 0.5}")];
            ShardInfo[] inTurn =
                [.. shards.Select((shard, i) => shard with { Source = $"source {i % Sources:00}" })];
            var streamed = CorpusSettings.Defaults with { Order = CorpusOrder.Stream, Mixture = mixture };
            // The first time includes the compiler's work; a run that resumes has it as well.
            for (var time = 0; time < 3; time++)
            {
                Measure("one source", cut, shards, corpus, map => new SampleOrder(1, map.Blocks));
                Measure("a mixture of 22", cut, shards, corpus, _ => MixtureOrder.Of(1, mixture, shards, cut));
                Measure("a mixture of 22 in windows", cut, inTurn, corpus, map => WindowMixture.Of(1, streamed, inTurn, false, map));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Measure(
        string name, SampleCut cut, ShardInfo[] shards, BuiltCorpus corpus, Func<BlockMap, SampleStream> open)
    {
        var (allocated, watch, used) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        var map = new BlockMap(shards, cut);
        var stream = open(map);
        var (_, block) = map.Locate(stream.BlockAt(0));
        using var shard = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[0]));
        cut.Read(shard, block % cut.CountIn(corpus.TrainShards[0]), new int[cut.Length]);
        var (passed, worked) = (watch.Elapsed.TotalMilliseconds, (Environment.CpuUsage.TotalTime - used).TotalMilliseconds);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {stream.Samples} samples an epoch, {shards.Length} shards: the first one read in {passed:0.000} ms "
            + $"({worked:0.000} ms of processor time), {(GC.GetAllocatedBytesForCurrentThread() - allocated) / 1024.0:0} KiB allocated"));
    }

    private static BuiltCorpus Corpus(string folder)
    {
        var tokenizer = Tokenizer.Open("byte");
        using var writer = new CorpusWriter(folder, Digest.Of([]), tokenizer);
        var text = string.Concat(Enumerable.Repeat("words of a text ", 1 << 14));
        writer.Append(BatchTokenizer.Tokenize(tokenizer, new DocumentBatch(0, [new Document("source 00", "a", text)]), 0));
        return writer.Complete(new ReadStatistics());
    }
}
