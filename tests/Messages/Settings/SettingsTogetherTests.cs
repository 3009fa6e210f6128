using Elastic.Messages.Settings;

namespace Elastic.Messages.Tests.Settings;

/// <summary>Settings that are right by themselves, and not beside each other.</summary>
public sealed class SettingsTogetherTests
{
    private static readonly ModelSettings Model =
        ModelSettings.Defaults with { Layers = 2, Heads = 4, Width = 64, Context = 32, Vocabulary = 257 };

    [Fact]
    public void Samples_are_no_longer_than_what_the_model_reads_and_have_its_context_where_nothing_is_said()
    {
        var settings = TrainingSettings.Defaults with { Model = Model, Corpus = CorpusSettings.Defaults with { SampleTokens = 8 } };
        Assert.Empty(settings.Problems());
        Assert.Equal((8, Model.Context), (settings.SampleTokens, (settings with { Corpus = CorpusSettings.Defaults }).SampleTokens));
        Assert.Equal(
            $"corpus.sample-tokens = {Model.Context + 1} with model.context = {Model.Context}: the model reads no longer sample; use at "
                + $"most {Model.Context}, or 0",
            Assert.Single((settings with { Corpus = settings.Corpus with { SampleTokens = Model.Context + 1 } }).Problems()));
        var pairs = settings with
        {
            Model = Model with { Architecture = "bert", Bert = new BertSettings { MaskToken = 103, ClassToken = null } },
            Corpus = settings.Corpus with { Samples = SampleKind.Pairs, AnswerField = "answer" },
        };
        Assert.Equal(
            "corpus.sample-tokens = 8: a pair of sentences has all of model.context; leave it out", Assert.Single(pairs.Problems()));
    }

    [Fact]
    public void What_stages_on_several_nodes_cannot_train_is_refused_with_a_remedy()
    {
        var two = TrainingSettings.Defaults with { Model = Model, Run = RunSettings.Defaults with { Stages = 2 } };
        Assert.Empty(two.Problems());
        Assert.Empty((two with { Optimizer = two.Optimizer with { Kind = "muon" } }).Problems());
        Assert.Empty((two with { Model = Model with { Lora = Model.Lora with { Rank = 4 } } }).Problems());
        Refused("run.stages = 2 with batch.micro = 64, model.context = 1024 and model.width = 8192: a stage would hand its neighbour",
            two with
            {
                Model = Model with { Width = 8192, Heads = 64, Context = 1024 },
                Batch = two.Batch with { Sequences = 64, Micro = 64 },
            });
        Refused("run.stages = 2 with optimizer.mirror-slices = true: a stage has one device and no neighbour that could keep a copy",
            two with { Optimizer = two.Optimizer with { MirrorSlices = true } });

        static void Refused(string problem, TrainingSettings settings) =>
            Assert.StartsWith(problem, Assert.Single(settings.Problems()), StringComparison.Ordinal);
    }
}
