using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Settings that change in mid-run: the answer depends on what changes from which round on, and on nothing else.</summary>
public sealed class SegmentSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    // With one replica an averaging changes nothing: where rounds are cut is not seen. Dropout is drawn by the round, so it is off; the
    // schedule, which would span other steps in between, is constant.
    [Fact]
    public async Task Rounds_of_other_lengths_give_the_weights_of_the_same_steps_in_rounds_of_one_length()
    {
        var settings = TinyRun.Settings("a", rounds: 6, innerSteps: 2);
        settings = settings with
        {
            Model = settings.Model with { Dropout = 0 },
            Optimizer = settings.Optimizer with { Schedule = LearningRateSchedule.Constant },
        };
        var whole = await _tiny.TrainAsync(settings, "cpu:1", data: "whole");
        var changed = await TrainAsync(settings, "changed", "cpu:1",
            [new(2, """{"run.inner-steps":3}"""), new(3, """{"run.rounds":4,"run.inner-steps":5}""")]);
        Assert.Equal((12L, 12L, 4), (whole.TotalSteps, changed.TotalSteps, changed.Rounds));
        Assert.Equal(whole.Fingerprint, changed.Fingerprint);
    }

    // Everything that may change: rates, R up and down, H, batch, the outer step, the mixture, the length.
    [Fact]
    public async Task Changes_at_the_same_rounds_give_one_answer_however_they_came_and_whatever_happened_between()
    {
        var settings = Mixed(TinyRun.Settings("a", replicas: 2, AveragingMethod.Nesterov, rounds: 5));
        SettingsChange[] changes =
        [
            new(1, """{"run.replicas":3,"optimizer.learning-rate":0.002,"optimizer.betas":[0.8,0.9]}"""),
            new(2, $$"""{"batch.sequences":12,"corpus.mixture":["00.txt=3","01.txt=0"]}"""),
            new(3, """{"run.replicas":2,"run.rounds":6,"run.inner-steps":2,"optimizer.outer-learning-rate":0.5,"batch.micro":4}"""),
            new(4, """{"corpus.mixture":["00.txt=0.5","02.txt=2"],"optimizer.label-smoothing":0.1}"""),
        ];
        var planned = await TrainAsync(settings, "planned", "cpu:1", changes);
        Assert.Equal(6, planned.Round);
        // Asked for one by one, then computed on three devices, stopped, and gone on with on two.
        var asked = await AskedAsync(settings, "asked", changes);
        Assert.Equal((planned.Fingerprint, planned.Samples, planned.Tokens), (asked.Fingerprint, asked.Samples, asked.Tokens));
        Assert.Equal([1, 2, 3, 4], asked.Segments.Select(s => s.FromRound));
        Assert.Equal([48L, 120, 228, 276], asked.Segments.Select(s => s.FromSample));
        Assert.Equal(["run.rounds: 5 -> 6"], asked.Segments[2].Changes.Where(c => c.StartsWith("run.rounds", StringComparison.Ordinal)));
        Assert.Equal(await ChainAsync("planned"), await ChainAsync("asked"));
        var audit = await JournalAudit.RunAsync(Data("asked"), null, new RunName("a"), TestContext.Current.CancellationToken);
        Assert.True(audit.IsProven, string.Join(Environment.NewLine, audit.Problems));
        Assert.Equal((4, asked.Samples, asked.Tokens), (audit.Changes.Count, audit.Samples, audit.Tokens));
        Assert.Contains("from round 4", audit.Changes.Select(c => $"from round {c.FromRound}"));
    }

    // Only then are the shards of the corpus told apart by source.
    private static TrainingSettings Mixed(TrainingSettings settings) =>
        settings with { Corpus = settings.Corpus with { Mixture = ["00.txt=1"] } };

    private string Data(string data) => Path.Combine(_tiny.Root, data);

    private async Task<Digest> ChainAsync(string data)
    {
        var cancel = TestContext.Current.CancellationToken;
        var database = DatabaseAddress.Parse(null, Data(data));
        return Assert.Single(await StoredRuns.ReadAsync(database, cancel)).State!.ChainHead;
    }

    private async Task<RunView> TrainAsync(
        TrainingSettings settings, string data, string devices, IReadOnlyList<SettingsChange> changes)
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        await using var node = await _tiny.StartAsync(devices, data, deadline.Token);
        var corpus = await node.BuildCorpusAsync(
            settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
        Assert.IsType<RunReply.Accepted>(await node.StartRunAsync(settings, corpus, Origins.Now("a test"), changes));
        return await _tiny.TrainAsync(node, settings, null, deadline.Token);
    }

    // Before a device is there no round begins: nobody has to be in time.
    private async Task<RunView> AskedAsync(TrainingSettings settings, string data, SettingsChange[] changes)
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        await using (var node = await _tiny.StartAsync("none", data, deadline.Token))
        {
            var corpus = await node.BuildCorpusAsync(
                settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
            var why = await Assert.ThrowsAsync<ElasticException>(() => node.StartRunAsync(
                settings, corpus, Origins.Now("a test"), [new(1, """{"corpus.mixture":["books=2"]}""")]));
            Assert.StartsWith("corpus.mixture names books, which is no source of the corpus, or is all held out: it has 00.txt, ",
                why.Message, StringComparison.Ordinal);
            Assert.IsType<RunReply.Accepted>(await node.StartRunAsync(settings, corpus, Origins.Now("a test"), changes[..1]));
            foreach (var change in changes[1..])
                await SetAsync(node, change, deadline.Token);
        }

        var stopped = await _tiny.TrainAsync(settings, "cpu:3", data, stop: v => v.Round >= 2, hold: TinyRun.HeldIn(2));
        Assert.Equal((RunPhase.Stopped, 2), (stopped.Phase, stopped.Round));
        return await TrainAsync(settings, data, "cpu:2", changes);
    }

    private static async Task SetAsync(ElasticNode node, SettingsChange change, CancellationToken cancel)
    {
        var set = new RunRequest.Set(new RunName("a"), Origins.Now("a test"), change.Settings, change.FromRound, false);
        var reply = await node.Control.SetAsync(set, cancel);
        Assert.True(reply is RunReply.Accepted, reply.ToString());
        // Asked twice it counts once.
        Assert.Equal(new RunReply.Accepted(reply.Run, ((RunReply.Accepted)reply).RunId), await node.Control.SetAsync(set, cancel));
    }
}
