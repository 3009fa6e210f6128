using CsCheck;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public class WindowOrderTests
{
    private static readonly long[] Windows = [40, 30, 0, 7, 50];

    [Fact]
    public void Each_epoch_reads_each_block_once_and_window_after_window() =>
        Gen.Select(Gen.Long[0, 60].Array[1, 8], Gen.ULong).Where(s => s.Item1.Sum() > 0).Sample((windows, seed) =>
        {
            var order = new WindowOrder(seed, windows, isGrowing: false);
            Assert.Equal(windows.Sum(), order.Samples);
            for (var epoch = 0; epoch < 3; epoch++)
            {
                var (position, first) = (epoch * order.Samples, 0L);
                foreach (var blocks in windows)
                {
                    var read = Enumerable.Range(0, (int)blocks).Select(_ => order.BlockAt(position++)).Order();
                    Assert.Equal(Enumerable.Range(0, (int)blocks).Select(i => first + i), read);
                    first += blocks;
                }
            }
        }, iter: 100, threads: 1);

    [Fact]
    public void What_is_known_of_a_corpus_that_grows_is_read_in_the_order_of_the_complete_one()
    {
        var whole = new WindowOrder(7, Windows, isGrowing: false);
        var growing = new WindowOrder(7, Windows[..4], isGrowing: true);
        Assert.Equal(77, growing.Samples);
        Assert.All(Enumerable.Range(0, 77), p => Assert.Equal(whole.BlockAt(p), growing.BlockAt(p)));
        var error = Assert.Throws<InvalidOperationException>(() => growing.BlockAt(77));
        Assert.Contains("sample 77 is asked for", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Windows_epochs_and_seeds_have_different_orders()
    {
        long[] Window(ulong seed, int window, int epoch) => [.. Enumerable.Range(0, 1000).Select(
            p => new WindowOrder(seed, [1000, 1000], false).BlockAt(epoch * 2000L + window * 1000 + p) - window * 1000)];
        var orders = new[] { Window(1, 0, 0), Window(1, 1, 0), Window(1, 0, 1), Window(2, 0, 0) };
        foreach (var (i, a) in orders.Index())
            foreach (var b in orders.Skip(i + 1))
                // A random permutation agrees with another in one place on average.
                Assert.True(a.Zip(b).Count(p => p.First == p.Second) < 12);
    }

    // Fingerprints of runs depend on it. The numbers are of an implementation in Python that was written from the description.
    [Fact]
    public void The_order_never_changes() => Assert.Equal(
        [22, 29, 49, 44, 106, 81, 39, 17, 41, 120, 119, 115],
        Enumerable.Range(0, 12).Select(i => new WindowOrder(1, Windows, false).BlockAt(i * 23L)));

    [Fact]
    public void A_position_among_a_trillion_samples_is_found_in_memory_that_does_not_grow_with_them()
    {
        var windows = Enumerable.Repeat(1_000_000_000L, 1000).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var order = new WindowOrder(1, windows, isGrowing: false);
        var read = Enumerable.Range(0, 1000).Select(i => order.BlockAt(i * 999_999_999L)).ToList();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Equal(1000, read.Distinct().Count());
        Assert.All(read.Index(), r => Assert.Equal(r.Index * 999_999_999L / 1_000_000_000, r.Item / 1_000_000_000));
    }

    [Fact]
    public void What_needs_the_end_of_the_corpus_does_not_go_with_a_stream_and_says_what_does()
    {
        var stream = TrainingSettings.Defaults with { Corpus = CorpusSettings.Defaults with { Order = CorpusOrder.Stream } };
        Assert.Empty(stream.Problems());
        var early = stream with { Evaluation = stream.Evaluation with { Patience = 2 } };
        Assert.Contains(early.Problems(), p => p.Contains("or use run.epochs, which waits for the build", StringComparison.Ordinal));
        Assert.Empty((early with { Run = early.Run with { Rounds = null, Epochs = 2 } }).Problems());
    }

    [Fact]
    public void A_corpus_is_cut_into_windows_of_shards_and_the_last_one_has_what_is_left()
    {
        using var folder = new TemporaryFolder();
        var corpus = Corpora.Build(folder["c"], Corpora.Documents(200), heldOut: 0);
        Assert.InRange(corpus.TrainShards.Count, 4, 100);
        var windows = WindowOrder.Windows(3, corpus).ToList();
        Assert.Equal(corpus.TrainShards, windows.SelectMany(w => w));
        Assert.All(windows.SkipLast(1), w => Assert.Equal(3, w.Length));
        Assert.InRange(windows[^1].Length, 1, 3);
    }
}
