using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary><c>corpus.order = stream</c>: runs that read their corpus while it is built.</summary>
public sealed class StreamSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();
    private readonly ManualResetEventSlim _held = new();
    private readonly List<string> _waits = [];

    public void Dispose()
    {
        _held.Dispose();
        _tiny.Dispose();
    }

    // Four rounds of 576 samples read more than the corpus has: the build is held when a third of it is finished, until the run says that
    // it waits. The samples of the second epoch are those of the first window, in another order.
    [Fact]
    public Task A_run_that_begins_before_its_corpus_is_built_has_the_weights_of_one_that_begins_after_it() =>
        EarlyIsAsLateAsync(Settings, _ => { });

    [Fact]
    public Task So_has_one_that_mixes_sources_and_the_audit_counts_each_of_them()
    {
        foreach (var source in new[] { "a", "b", "c" })
            File.WriteAllLines(
                Path.Combine(Directory.CreateDirectory(Path.Combine(_tiny.Root, "sources")).FullName, $"{source}.jsonl"),
                Enumerable.Range(0, 36).Select(i => $$"""{"text": "{{string.Join(source, Enumerable.Range(i * 1000, 50))}}"}"""));
        return EarlyIsAsLateAsync(
            Settings with { Corpus = Settings.Corpus with { Sources = ["sources"], Mixture = ["a.jsonl=2", "b.jsonl=0.5"] } },
            audit =>
            {
                Assert.Equal(["a.jsonl", "b.jsonl", "c.jsonl"], audit.Sources.Select(s => s.Source));
                Assert.Equal(audit.Samples, audit.Sources.Sum(s => s.Samples));
                foreach (var (source, times) in audit.Sources.Zip([2, 0.5, 1]))
                    Assert.InRange(source.Samples, times * source.Blocks - 1, 2 * times * source.Blocks + 1);
            });
    }

    private async Task EarlyIsAsLateAsync(TrainingSettings settings, Action<AuditReport> check)
    {
        var early = await TrainAsync(settings, "early", holdsAfter: 6);
        Assert.Contains("shard 6 of the corpus that is being built", _waits);
        _waits.Clear();
        var late = await TrainAsync(settings, "late", holdsAfter: null);

        Assert.DoesNotContain(_waits, w => w.Contains("shard 6", StringComparison.Ordinal));
        Assert.Equal(late.Fingerprint, early.Fingerprint);
        Assert.Equal(await ChainAsync("late"), await ChainAsync("early"));
        foreach (var data in new[] { "early", "late" })
        {
            var audit = await JournalAudit.RunAsync(
                Path.Combine(_tiny.Root, data), null, new RunName("a"), TestContext.Current.CancellationToken);
            Assert.True(audit.IsProven, string.Join(Environment.NewLine, audit.Problems));
            Assert.Equal(2, audit.Epochs.Count);
            Assert.Equal((audit.Epochs[0].Blocks, 4 * 576L), (audit.Epochs[0].Consumed, audit.Samples));
            check(audit);
        }

        // A window that the journal says otherwise than it was is found, in itself and in the hash chain.
        var (run, events) = await EventsAsync("early");
        var second = events.FindIndex(e => e is RunEvent.WindowAdded { Window.Number: 1 });
        var window = ((RunEvent.WindowAdded)events[second]).Window;
        events[second] = new RunEvent.WindowAdded(run, window with { Shards = [.. window.Shards.Reverse()] });
        var problems = ChainAudit.Check(new DataPaths(Path.Combine(_tiny.Root, "early")), run, events, [], default).Problems;
        Assert.Contains("window 1 of the corpus has other shards, or another number of samples, than the journal says", problems);
        Assert.Contains(problems, p => p.Contains("the chain of digests is broken", StringComparison.Ordinal));
    }

    private static TrainingSettings Settings => TinyRun.Settings("a", innerSteps: 9) with
    {
        Batch = BatchSettings.Defaults with { Sequences = 64, Micro = 16 },
        Corpus = CorpusSettings.Defaults with { HeldOut = 0.1, Order = CorpusOrder.Stream, StreamWindow = 3, Sources = ["text"] },
    };

    private async Task<RunView> TrainAsync(TrainingSettings of, string data, int? holdsAfter)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var faults = new NodeFaults(TokensPerShard: 2000, AfterWindow: shards =>
        {
            if (shards == holdsAfter)
                _held.Wait(deadline.Token);
        });
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:1", DataDir = Path.Combine(_tiny.Root, data) }, NodeDuty.Train, _ => { }, faults,
            Transport.Plain, deadline.Token);
        var settings = of with { Corpus = of.Corpus with { Sources = [Path.Combine(_tiny.Root, of.Corpus.Sources.Single())] } };
        var fed = holdsAfter is null ? await StartLateAsync(node, settings, deadline.Token) : Task.FromResult<string?>(null);
        // As pbm run start does.
        if (holdsAfter is not null)
            Assert.IsType<RunReply.Accepted>(await node.Control.StartAsync(
                settings, null, Origins.Now("a test"), new Progress<string>(), deadline.Token));
        RunView? last = null;
        await foreach (var view in node.WatchAsync(new RunName("a"), deadline.Token))
        {
            last = view;
            if (view.WaitsFor is not { } waits)
                continue;
            _waits.Add(waits);
            if (waits.StartsWith($"shard {holdsAfter} ", StringComparison.Ordinal))
                _held.Set();
        }

        Assert.Equal((RunPhase.Finished, null), (last!.Phase, last.Failure));
        Assert.Null(await fed.WaitAsync(deadline.Token));
        return last;
    }

    // As elastic train does, but for waiting for all of the corpus.
    private static async Task<Task<string?>> StartLateAsync(ElasticNode node, TrainingSettings settings, CancellationToken cancel)
    {
        var growing = await node.StreamCorpusAsync(settings.Corpus, null, cancel);
        await growing.Whole.WaitAsync(cancel);
        var corpus = await growing.BeginningAsync(settings, cancel);
        Assert.False(corpus.IsGrowing);
        Assert.IsType<RunReply.Accepted>(await node.StartRunAsync(settings, corpus, Origins.Now("a test")));
        return node.FeedAsync(settings, growing, "a test");
    }

    private async Task<(RunId Run, List<RunEvent> Events)> EventsAsync(string data)
    {
        var address = DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, data));
        var run = (await new RunList(address.ReadOnly()).ReadAsync(default)).Single().Run;
        return (run, [.. await JournalReader.ReadAsync(address, run, default)]);
    }

    private async Task<List<Digest>> ChainAsync(string data) =>
        [.. (await EventsAsync(data)).Events.OfType<RunEvent.RoundCommitted>().Select(e => e.ChainHead)];
}
