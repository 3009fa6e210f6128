using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Nodes;

public sealed class StartPreviewSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_preview_says_what_the_start_would_say_and_stores_nothing()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await using var node = await _tiny.StartAsync("cpu:1", "data", deadline.Token);
        var settings = TinyRun.Settings("a", rounds: 2);
        settings = settings with
        {
            Corpus = settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] },
            Model = settings.Model with { Vocabulary = 0 },
        };

        var before = await PreviewAsync(settings);
        Assert.Equal((StartEffect.Begins, null, null, 40), (before.Effect, before.Run, before.Blocks, before.Files));
        Assert.Equal(257, before.Settings.Model.Vocabulary);
        Assert.Null(before.Refusal);
        Assert.False(Directory.Exists(node.Paths.Corpora));
        Assert.Equal(0, _tiny.CountEvents("data"));

        settings = before.Settings;
        await _tiny.TrainAsync(node, settings, null, deadline.Token);
        var events = _tiny.CountEvents("data");
        var after = await PreviewAsync(settings);
        Assert.Equal((StartEffect.GoesOn, null, before.Corpus), (after.Effect, after.Refusal, after.Corpus));
        Assert.Equal((2, after.Run!.Blocks, after.Run.HeldOutBlocks), (after.Run.Round, after.Blocks, after.HeldOutBlocks));

        var longer = await PreviewAsync(settings with { Run = settings.Run with { Rounds = 4 } });
        Assert.Equal((StartEffect.Changes, null), (longer.Effect, longer.Refusal));
        Assert.StartsWith("the run has 4 rounds from now on, where it had 2", longer.Notice, StringComparison.Ordinal);

        var other = settings with { Optimizer = settings.Optimizer with { LearningRate = 1 } };
        var corpus = await node.BuildCorpusAsync(other.Corpus, null, deadline.Token);
        var refused = Assert.IsType<RunReply.Refused>(await node.StartRunAsync(other, corpus, Origins.Now("a test")));
        Assert.Equal((StartEffect.GoesOn, refused.Why), ((await PreviewAsync(other)) is var p ? (p.Effect, p.Refusal) : default));
        Assert.Contains("nowhere", (await Assert.ThrowsAsync<NotFoundException>(() => PreviewAsync(
            settings with { Corpus = settings.Corpus with { Sources = ["/nowhere"] } }))).Message, StringComparison.Ordinal);
        Assert.Equal(events, _tiny.CountEvents("data"));

        Task<StartPreview> PreviewAsync(TrainingSettings asked) =>
            node.Control.PreviewAsync(asked, null, Origins.Now("a test"), deadline.Token);
    }
}
