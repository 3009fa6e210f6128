using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Actors.Tests.Nodes;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Corpora;

/// <summary>What a run that streams hears of its corpus.</summary>
public sealed class CorpusFeedTests : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    // Of text that no build has made a weight is looked up when the corpus is complete: the run waits, and nobody tries again.
    [Fact]
    public async Task A_weight_of_a_source_that_never_came_is_told_to_the_run_and_to_who_feeds_it()
    {
        var cancel = TestContext.Current.CancellationToken;
        var settings = TinyRun.Settings("a");
        settings = settings with
        {
            Corpus = settings.Corpus with
            {
                Order = CorpusOrder.Stream,
                StreamWindow = 3,
                Mixture = ["books=2"],
                Sources = [Path.Combine(_tiny.Root, "text")],
            },
        };
        await using var node = await _tiny.StartAsync("none", "data", cancel);
        var corpus = await node.BuildCorpusAsync(settings.Corpus, null, cancel);
        List<RunRequest> asked = [];

        var why = await new CorpusFeed(settings, GrowingCorpus.Of(corpus), "a test", request =>
        {
            asked.Add(request);
            return Task.FromResult<RunReply>(new RunReply.Accepted(new RunName("a"), new RunId("a")));
        }).RunAsync(cancel);

        Assert.StartsWith(
            "corpus.mixture names books, which is no source of the corpus, or is all held out: it has ", why, StringComparison.Ordinal);
        Assert.Equal(why, Assert.IsType<RunRequest.Grow>(Assert.Single(asked)).Failure);
    }
}
