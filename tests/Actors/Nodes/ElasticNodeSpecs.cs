using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Nodes;

public sealed class ElasticNodeSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_run_goes_through_all_its_rounds_and_its_loss_falls()
    {
        var view = await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 8), "cpu:2");

        Assert.Null(view.Failure);
        Assert.Equal(RunPhase.Finished, view.Phase);
        Assert.Equal(8, view.Round);
        Assert.Equal(8 * 3 * 8, view.Samples);
        var first = (await _tiny.FirstLossAsync("a"))!.Value;
        Assert.InRange(first, 5.4, 5.7);                                     // ln 257 = 5.549: nothing is known yet
        Assert.True(view.ValLoss < first - 0.3, $"validation loss went from {first} to {view.ValLoss}");
    }

    [Fact]
    public async Task Settings_that_are_longer_than_a_start_can_be_are_refused_before_any_of_them_is_sent()
    {
        await using var node = await _tiny.StartAsync("none", "data", TestContext.Current.CancellationToken);
        var settings = TinyRun.Settings("a");
        var corpus = await node.BuildCorpusAsync(
            settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, TestContext.Current.CancellationToken);
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => node.StartRunAsync(
            settings with { Corpus = settings.Corpus with { Sources = [new string('x', 33_000_000)] } }, corpus,
            Control.Origins.Now("a test")));
        Assert.Contains("name folders in corpus.sources", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_is_alone_opens_no_port()
    {
        await using var node = await _tiny.StartAsync("none", "data", TestContext.Current.CancellationToken);
        // Nobody listens there, and nobody can.
        Assert.Equal((new Endpoint("127.0.0.1", 1), new Endpoint("127.0.0.1", 1)), (node.Endpoint, node.HttpEndpoint));
        await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(
            async () => (await Transport.Plain.ConnectAsync(node.HttpEndpoint, TestContext.Current.CancellationToken)).Dispose());
        Assert.False(node.LeaveAsked.IsCompleted);
    }

    [Fact]
    public async Task A_run_that_does_not_fit_in_memory_is_refused_before_it_is_in_the_journal()
    {
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => _tiny.TrainAsync(TooLarge("a"), "cpu:1"));
        Assert.StartsWith("training needs ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("set batch.micro = ", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, _tiny.CountEvents("data"));
    }

    [Fact]
    public async Task A_node_of_a_cluster_gives_work_back_that_does_not_fit_in_its_memory()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:1", DataDir = Path.Combine(_tiny.Root, "data") }, NodeDuty.Seed(), _ => { },
            deadline.Token);
        var view = await _tiny.TrainAsync(node, TooLarge("a"), null, deadline.Token);
        Assert.StartsWith("training needs ", view.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_trains_gives_work_back_that_a_change_in_mid_run_makes_too_large_for_its_memory()
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:1", DataDir = Path.Combine(_tiny.Root, "data") }, NodeDuty.Seed(), _ => { },
            deadline.Token);
        var settings = TinyRun.Settings("a");
        var corpus = await node.BuildCorpusAsync(
            settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
        Assert.IsType<RunReply.Accepted>(await node.StartRunAsync(
            settings, corpus, Control.Origins.Now("a test"),
            [new SettingsChange(1, """{"batch.sequences":1048576,"batch.micro":1048576}""")]));
        var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);
        Assert.StartsWith("training needs ", view.Failure, StringComparison.Ordinal);
        Assert.Equal(1, view.Round);
    }

    private static TrainingSettings TooLarge(string name) =>
        TinyRun.Settings(name) with { Batch = BatchSettings.Defaults with { Sequences = 1 << 20, Micro = 1 << 20 } };

    [Fact]
    public async Task What_a_process_that_died_was_writing_is_gone_when_the_next_one_has_started()
    {
        var data = Path.Combine(_tiny.Root, "data");
        string[] leftovers =
        [
            DurableFile.TemporaryPath(Path.Combine(data, "runs", "old-3k9v2mq7", "checkpoints", "round-5.json")),
            DurableFile.TemporaryPath(Path.Combine(data, "runs", "old-3k9v2mq7", "blobs", "ab", "abcd")),
            Path.Combine(data, "corpora", "abcd.building-1.lock"),
        ];
        foreach (var path in leftovers.Append(Path.Combine(data, "corpora", "abcd.building-1", "train-0")))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            // A builder's lock names its machine.
            File.WriteAllText(path, path.EndsWith(".lock", StringComparison.Ordinal) ? Environment.MachineName : "half of it");
        }

        await using var node = await _tiny.StartAsync("none", "data", TestContext.Current.CancellationToken);
        Assert.DoesNotContain(leftovers, File.Exists);
        Assert.Empty(Directory.GetDirectories(Path.Combine(data, "corpora")));
    }
}
