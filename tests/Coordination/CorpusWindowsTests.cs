using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>Runs whose corpus is being built: each round reads 48 samples, two replicas of three steps of eight.</summary>
public sealed class CorpusWindowsTests : RunCoordinatorScene
{
    private static readonly RunRequest.Start Start = Testing.RunSamples.Begin;

    private static readonly RunPlan Streaming = Plan with { Streams = true };

    private static readonly RunState Fresh = Fold(
        RunState.Empty(Id),
        new RunEvent.RunStarted(Id, Start.Run, Start.Settings, Elements, Start.Corpus, 0, 0, Start.Arithmetic, Start.Origin),
        new RunEvent.RunInitialized(Id, D("version 0"), D("fingerprint 0")));

    [Theory]
    [InlineData(1, 10, 3, "comes where window 0 is due")]
    [InlineData(-1, 10, 3, "which no window has")]
    [InlineData(0, -1, 3, "which no window has")]
    [InlineData(0, 10, 0, "which no window has")]
    [InlineData(0, 10, 257, "which no window has")]
    public void A_window_out_of_order_or_of_no_shard_is_refused(int number, long blocks, int shards, string why) =>
        Assert.Contains(
            why, RunRequests.Decide(Fresh, Streaming, Say(new CorpusWindow(number, blocks, Shards(number, shards)))).Refusal!,
            StringComparison.Ordinal);

    [Fact]
    public void Another_corpus_and_a_run_that_reads_a_complete_one_are_refused()
    {
        var other = Say(Window(0, 10)) with { Corpus = D("another corpus") };
        Assert.Contains("is being built", RunRequests.Decide(Fresh, Streaming, other).Refusal!, StringComparison.Ordinal);
        Assert.Contains(
            "corpus.order = shuffle", RunRequests.Decide(Fresh, Plan, Say(Window(0, 10))).Refusal!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_window_that_was_added_is_added_once_and_one_of_other_shards_is_refused()
    {
        var run = Add(Fresh, Window(0, 10));
        Assert.Equal((10, 2), (run.KnownBlocks, run.KnownShards));
        Assert.Same(Decision.AlreadyDone, RunRequests.Decide(run, Streaming, Say(Window(0, 10))));
        foreach (var changed in new[] { new CorpusWindow(0, 10, Shards(5, 2)), new CorpusWindow(0, 11, Shards(0, 2)) })
            Assert.Contains(
                "files of the corpus were changed", RunRequests.Decide(run, Streaming, Say(changed)).Refusal!, StringComparison.Ordinal);
    }

    [Fact]
    public void The_manifest_is_stored_where_it_is_another_one()
    {
        var run = Add(Fresh, Window(0, 10));
        Assert.Equal(D("manifest"), run.Manifest);
        var same = RunRequests.Decide(run, Streaming, Say(Window(1, 10))).Events.Single();
        Assert.Null(Assert.IsType<RunEvent.WindowAdded>(same).Manifest);
        Assert.Equal(D("manifest"), Fold(run, same).Manifest);
    }

    [Fact]
    public void The_end_of_the_corpus_is_taken_when_it_fits_and_once()
    {
        var run = Add(Fresh, Window(0, 10), Window(1, 20));
        RunRequest.Grow End(long blocks) => Say(null) with { End = new CorpusEnd(blocks, 7), Manifest = D("whole") };
        Assert.Contains("ends after 31 blocks", RunRequests.Decide(run, Streaming, End(31)).Refusal!, StringComparison.Ordinal);
        var ended = Fold(run, [.. RunRequests.Decide(run, Streaming, End(30)).Events]);
        Assert.Equal((30, 7, D("whole")), (ended.Blocks, ended.HeldOutBlocks, ended.Manifest!.Value));
        Assert.Same(Decision.AlreadyDone, RunRequests.Decide(ended, Streaming, End(30)));
        Assert.Contains(
            "ends behind them", RunRequests.Decide(ended, Streaming, Say(Window(2, 1))).Refusal!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(47, false)]
    [InlineData(48, true)]
    public void A_round_has_its_data_when_all_that_it_reads_is_there(long blocks, bool has)
    {
        var run = Add(Fresh, Window(0, 1), Window(1, blocks - 1));
        Assert.Equal(has, run.HasData(Streaming));
        Assert.True(run.HasData(Plan));
        // Then epochs begin anew.
        Assert.True(Fold(run, new RunEvent.CorpusCompleted(Id, new CorpusEnd(blocks, 0), D("whole"))).HasData(Streaming));
    }

    [Fact]
    public void A_window_is_part_of_the_hash_chain_of_the_round_that_reads_it_first()
    {
        var run = Add(Fresh, Window(0, 30), Window(1, 0), Window(2, 18), Window(3, 60), Window(4, 5));
        Digest[] Of(int round) => [.. (run with { Round = round }).WindowsOf(Streaming)];
        Assert.Equal([Window(0, 30).Digest, Window(2, 18).Digest], Of(0));
        Assert.Equal([Window(3, 60).Digest], Of(1));
        Assert.Equal([Window(4, 5).Digest], Of(2));
        Assert.Empty(Of(3));
        Assert.Equal(5, run.Windows.Select(w => w.Digest).Distinct().Count());
    }

    [Fact]
    public void A_run_waits_for_a_shard_says_so_and_goes_on_when_it_is_there()
    {
        ItsPlan = Streaming with { EvaluateEvery = 0 };
        Assert.Empty(Orders([Added(0, 47)]));
        Assert.Equal("shard 2 of the corpus that is being built", Coordinator.WaitsFor);

        Assert.IsType<RunReply.Accepted>(Ask(Say(Window(1, 1)) with { Manifest = D("manifest 2") }));
        var sent = Taken(A);
        Assert.Equal(D("manifest 2"), sent.OfType<NodeCommand.OpenRun>().Last().Manifest);
        Assert.Equal([0, 1], sent.OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>().Select(c => c.Replica));
        Assert.Null(Coordinator.WaitsFor);
    }

    [Fact]
    public void Where_the_build_has_failed_or_nobody_builds_the_reason_says_what_to_do()
    {
        ItsPlan = Streaming with { EvaluateEvery = 0 };
        Orders([]);
        Assert.Equal("shard 0 of the corpus that is being built", Coordinator.WaitsFor);
        After(240);
        Step(new RunInput.Tick());
        Assert.Contains(
            "nobody has said for 4 minutes that it is being built: give the command", Coordinator.WaitsFor!, StringComparison.Ordinal);
        Ask(Say(null));
        Assert.Equal("shard 0 of the corpus that is being built", Coordinator.WaitsFor);
        Ask(Say(null) with { Failure = "books.txt cannot be read" });
        Assert.Contains("its build has failed: books.txt cannot be read; mend it", Coordinator.WaitsFor!, StringComparison.Ordinal);
        Assert.Contains(Outputs, o => o is RunOutput.Notice { Text: "the build of the corpus has failed: books.txt cannot be read" });
        Assert.Null(Coordinator.Failure);
    }

    [Fact]
    public void A_run_that_nobody_else_could_go_on_with_fails_with_the_build()
    {
        var alone = new RunCoordinator(Id, _ => Streaming, new CoordinatorSettings(GoesOn: false, TimeSpan.Zero));
        alone.Replay(new RunEvent.RunStarted(Id, Start.Run, Start.Settings, Elements, Start.Corpus, 0, 0, "cpu 2", Start.Origin));
        alone.Step(new RunInput.Asked(Say(null) with { Failure = "the disk is full" }, this), TimeSpan.Zero, Chance);
        Assert.Equal("the build of the corpus has failed: the disk is full", alone.Failure);
    }

    [Fact]
    public void A_start_on_a_corpus_that_is_being_built_needs_rounds_and_the_order_of_a_stream()
    {
        string? Refusal(string settings) =>
            RunRequests.Decide(RunState.Empty(Id), null, Start with { Settings = settings, Blocks = 0, HeldOutBlocks = 0 }).Refusal;
        Assert.Contains("no training block", Refusal(Start.Settings)!, StringComparison.Ordinal);
        var stream = Text(s => s with { Corpus = s.Corpus with { Order = Messages.Settings.CorpusOrder.Stream } });
        Assert.Null(Refusal(stream));
        Assert.Contains("no training block", Refusal(Text(s => s with
        {
            Run = s.Run with { Rounds = null, Epochs = 1 },
            Corpus = s.Corpus with { Order = Messages.Settings.CorpusOrder.Stream },
        }))!, StringComparison.Ordinal);
    }

    // What node A is ordered to compute of a run with these windows.
    private List<WorkOrder> Orders(RunEvent[] windows)
    {
        Recover(
        [
            new RunEvent.RunStarted(Id, Start.Run, Start.Settings, Elements, Start.Corpus, 0, 0, "cpu 2", Start.Origin),
            new RunEvent.RunInitialized(Id, D("version 0"), D("fingerprint 0")), .. windows,
        ]);
        Enlist(A, devices: 2);
        Survey(A, Coordinator.Run.Current());
        return [.. Taken(A).OfType<WorkOrder>().Where(o => o.Content is Compute)];
    }

    private static RunState Add(RunState run, params CorpusWindow[] windows) =>
        windows.Aggregate(run, (r, w) => Fold(r, [.. RunRequests.Decide(r, Streaming, Say(w)).Events]));

    private static RunEvent.WindowAdded Added(int number, long blocks) => new(Id, Window(number, blocks), D("manifest"));

    private static CorpusWindow Window(int number, long blocks) => new(number, blocks, Shards(number, 2));

    private static Digest[] Shards(int window, int count) => [.. Enumerable.Range(0, count).Select(i => D($"shard {window} {i}"))];

    private static RunRequest.Grow Say(CorpusWindow? window) => new(Start.Run, Simulation.VirtualRun.By(100))
    {
        Corpus = Start.Corpus,
        Window = window,
        Manifest = D("manifest"),
    };
}
