using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;

namespace Elastic.Corpus.Tests.Build;

/// <summary>What reads a document of many MB looks at the word to stop within it.</summary>
public sealed class StopTests
{
    private static readonly CancellationToken Stopped = new(canceled: true);

    [Theory]
    [InlineData("boilerplate-lines")]
    [InlineData("c4")]
    [InlineData("clean")]
    [InlineData("exact-duplicates")]
    [InlineData("fineweb-quality")]
    [InlineData("gopher-quality")]
    [InlineData("gopher-repetition")]
    [InlineData("mojibake")]
    [InlineData("near-duplicates")]
    public void A_stage_ends_within_a_document(string name)
    {
        var stage = StageKinds.Find(name)!.Plan([], new List<string>()).Stage;
        Assert.Throws<OperationCanceledException>(() => Run(Stopped));
        Run(default);

        void Run(CancellationToken cancel)
        {
            var draft = new Draft(new DocumentFacts("source", "name", DocumentFormat.Text), "Ein Satz, der über Wörter geht.\n")
            {
                Cancel = cancel,
            };
            stage.Read(draft);
            (stage as SketchingStage)?.Sketch(draft);
        }
    }

    [Fact]
    public void N_grams_are_counted_up_to_the_word_to_stop()
    {
        using var stop = new CancellationTokenSource();
        var grams = new WordGrams("a b a b a b".Split(' '), stop.Token);
        Assert.Equal(4, grams.InRepeated(3));
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => grams.InRepeated(3));
    }

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void A_tokenizer_ends_within_a_text(string name) => Assert.Throws<OperationCanceledException>(
        () => Tokenizer.Open(name).Encode("some words", [], Stopped));
}
