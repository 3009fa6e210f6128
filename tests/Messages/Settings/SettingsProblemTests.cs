using CsCheck;
using Elastic.Messages.Settings;

namespace Elastic.Messages.Tests.Settings;

// Every block checks itself: a sentence that names the key, what it is, and what to use.
public sealed class SettingsProblemTests
{
    private static readonly RunSettings Run = RunSettings.Defaults with { Replicas = 2, Rounds = 4 };
    private static readonly ModelSettings Model =
        ModelSettings.Defaults with { Layers = 2, Heads = 4, Width = 64, Context = 32, Vocabulary = 257 };
    private static readonly OptimizerSettings Optimizer = OptimizerSettings.Defaults with { LearningRate = 3e-4, MinimumLearningRate = 0 };

    [Theory]
    [InlineData(0, 1, "batch.sequences = 0: use 1 to 1048576")]
    [InlineData(8, 0, "batch.micro = 0: use 1 to 1048576")]
    [InlineData(8, 3, "batch.sequences = 8 does not divide by batch.micro = 3: every forward pass has the same size; use batch.micro = 2")]
    [InlineData(12, 5,
        "batch.sequences = 12 does not divide by batch.micro = 5: every forward pass has the same size; use batch.micro = 4")]
    [InlineData(7, 100,
        "batch.sequences = 7 does not divide by batch.micro = 100: every forward pass has the same size; use batch.micro = 7")]
    public void A_batch_that_cannot_be_cut_is_refused(int sequences, int micro, string problem) =>
        Assert.Equal(problem, Assert.Single(Batch(sequences, micro).Problems()));

    [Fact]
    public void The_micro_batch_that_is_proposed_is_the_nearest_divisor() =>
        Gen.Select(Gen.Int[1, 500], Gen.Int[1, 600]).Sample(
            (sequences, micro) =>
            {
                var settings = Batch(sequences, micro);
                if (sequences % micro == 0)
                {
                    Assert.Empty(settings.Problems());
                    Assert.Equal(sequences, settings.MicroBatches * micro);
                    return;
                }

                var text = Assert.Single(settings.Problems());
                var proposed = int.Parse(text[(text.LastIndexOf(' ') + 1)..]);
                Assert.Empty(Batch(sequences, proposed).Problems());
                for (var distance = 0; distance < Math.Abs(proposed - micro); distance++)
                    Assert.False((micro - distance > 0 && sequences % (micro - distance) == 0) || sequences % (micro + distance) == 0);
            });

    private static BatchSettings Batch(int sequences, int micro) => BatchSettings.Defaults with { Sequences = sequences, Micro = micro };

    public static TheoryData<RunSettings, string> Runs => new()
    {
        { Run with { Name = "" }, "run.name = \"\": use 1 to 64 letters, digits, '-', '_' and '.'" },
        { Run with { Name = "../a" }, "run.name = \"../a\": use 1 to 64 letters, digits, '-', '_' and '.'" },
        { Run with { Name = ".a" }, "run.name = \".a\": use 1 to 64 letters, digits, '-', '_' and '.'" },
        { Run with { Replicas = 0 }, "run.replicas = 0: use 1 to 400" },
        { Run with { Replicas = 401 }, "run.replicas = 401: use 1 to 400" },
        { Run with { InnerSteps = 0 }, "run.inner-steps = 0: use 1 to 1000000" },
        { Run with { Rounds = 0 }, "run.rounds = 0: use 1 to 1000000000" },
        { Run with { Rounds = null, Epochs = 0 }, "run.epochs = 0: use 1 to 1000000" },
        { Run with { Rounds = null }, "run.rounds and run.epochs: set exactly one of them" },
        { Run with { Epochs = 1 }, "run.rounds and run.epochs: set exactly one of them" },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_run_that_cannot_be_is_refused(RunSettings settings, string problem) =>
        Assert.Equal(problem, Assert.Single(settings.Problems()));

    public static TheoryData<ModelSettings, string> Models => new()
    {
        { Model with { Architecture = "mamba" },
            "model.architecture = \"mamba\": use \"gpt2\" or \"llama\" or \"bert\" or \"transformer\"" },
        { Model with { Layers = 0 }, "model.layers = 0: use 1 to 10000" },
        { Model with { Heads = 0 }, "model.heads = 0: use 1 to 1048576" },
        { Model with { Width = 66 }, "model.width = 66 does not divide by model.heads = 4: use a multiple of the heads" },
        { Model with { Width = 0 }, "model.width = 0: use 1 to 1048576" },
        { Model with { Context = 0 }, "model.context = 0: use 1 to 16777216" },
        { Model with { Vocabulary = -1 }, "model.vocabulary = -1: use 0 (the tokenizer's own) to 16777216" },
        { Model with { Width = 1024, Heads = 2 }, "model.width = 1024 with model.heads = 2 are 512 channels a head: use at most 256" },
        { Model with { Dropout = 1 }, "model.dropout = 1: use 0 to less than 1" },
        { Model with { Dropout = double.NaN }, "model.dropout = NaN: use 0 to less than 1" },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void A_model_that_cannot_be_is_refused(ModelSettings settings, string problem) =>
        Assert.Equal(problem, Assert.Single(settings.Problems()));

    public static TheoryData<string, SampleKind, string?, string> Samples => new()
    {
        { "transformer", SampleKind.Blocks, "answer",
            "model.architecture = \"transformer\" reads pairs: set corpus.samples = pairs, and corpus.answer-field" },
        { "transformer", SampleKind.Pairs, null,
            "corpus.samples = pairs: set corpus.answer-field to the field of a .jsonl record that holds the target" },
        { "gpt2", SampleKind.Pairs, "answer",
            "corpus.samples = pairs is for model.architecture = \"transformer\" or \"bert\", not for \"gpt2\": that "
            + "learns prompts and their answers from corpus.samples = documents with corpus.answer-field" },
        { "bert", SampleKind.Documents, "answer",
            "corpus.answer-field = \"answer\": model.architecture = \"bert\" predicts hidden tokens of all text, and has no answers" },
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public void Samples_that_an_architecture_cannot_read_are_refused(
        string architecture, SampleKind samples, string? answer, string problem)
    {
        var settings = TrainingSettings.Defaults with
        {
            Model = Model with { Architecture = architecture },
            Corpus = CorpusSettings.Defaults with { Samples = samples, AnswerField = answer },
        };
        Assert.StartsWith(problem, Assert.Single(settings.Problems()), StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_corpus_says_of_its_texts_must_fit_the_architecture()
    {
        var bert = TrainingSettings.Defaults with { Model = Model with { Architecture = "bert" } };
        var pairs = bert with { Corpus = CorpusSettings.Defaults with { Samples = SampleKind.Pairs, AnswerField = "answer" } };
        Assert.Empty(pairs.Problems());
        Assert.Empty((pairs with { Model = pairs.Model with { Bert = pairs.Model.Bert with { ClassToken = 101 } } }).Problems());
        Assert.Empty((bert with { Corpus = CorpusSettings.Defaults with { WholeWords = true } }).Problems());
        Refused("model.context = 4 holds no pair of sentences", pairs with { Model = pairs.Model with { Context = 4 } });
        Refused("model.class-token = 101 begins pairs of sentences: set corpus.samples = pairs",
            bert with { Model = bert.Model with { Bert = bert.Model.Bert with { ClassToken = 101 } } });
        Refused("model.class-token = 101 means nothing to model.architecture = \"gpt2\"",
            TrainingSettings.Defaults with { Model = Model with { Bert = Model.Bert with { ClassToken = 101 } } });
        Refused("corpus.whole-words = true: model.architecture = \"gpt2\" hides no words",
            TrainingSettings.Defaults with { Corpus = CorpusSettings.Defaults with { WholeWords = true } });

        var chat = CorpusSettings.Defaults with { ChatTemplate = ChatTemplate.Chatml };
        Assert.Empty((TrainingSettings.Defaults with { Corpus = chat }).Problems());
        Refused("corpus.chat-template = chatml: conversations are for models that continue a text", bert with { Corpus = chat });
        Refused("corpus.answer-field = \"a\" names the answer of a record, and corpus.chat-template = chatml takes it from its messages",
            TrainingSettings.Defaults with { Corpus = chat with { AnswerField = "a" } });

        static void Refused(string problem, TrainingSettings settings) =>
            Assert.StartsWith(problem, Assert.Single(settings.Problems()), StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_do_what_is_expected_is_refused_to_new_runs()
    {
        var stops = TrainingSettings.Defaults with { Evaluation = EvaluationSettings.Defaults with { Patience = 3 } };
        var none = stops with { Corpus = CorpusSettings.Defaults with { HeldOut = 0 } };
        Refused("evaluation.patience = 3 ends a run by its scores of held-out text, and with corpus.held-out = 0 there is none", none);
        Refused("evaluation.target-loss = 2.5 ends a run by its scores",
            none with { Evaluation = EvaluationSettings.Defaults with { TargetLoss = 2.5 } });
        Assert.Empty(stops.ProblemsOfNewRun());
        Assert.Empty((none with { Corpus = none.Corpus with { Validation = ["v.txt"] } }).ProblemsOfNewRun());
        var muon = TrainingSettings.Defaults with { Optimizer = OptimizerSettings.Defaults with { Kind = "muon" } };
        Assert.Empty(muon.ProblemsOfNewRun());
        Refused("optimizer.kind = muon with model.lora-rank = 4: Muon updates hidden matrices of the network, which adapters leave as they "
            + "are", muon with { Model = Model with { Lora = Model.Lora with { Rank = 4 } } });

        static void Refused(string problem, TrainingSettings settings)
        {
            Assert.StartsWith(problem, Assert.Single(settings.ProblemsOfNewRun()), StringComparison.Ordinal);
            Assert.Empty(settings.Problems());                         // of an earlier version's run, which goes on
        }
    }

    [Fact]
    public void What_counts_for_nothing_is_said()
    {
        Assert.Empty(SettingsWithoutEffect.Of(TrainingSettings.Defaults));
        Assert.Empty(SettingsWithoutEffect.Of(NodeSettings.Defaults));
        var set = TrainingSettings.Defaults with
        {
            Optimizer = OptimizerSettings.Defaults with
            {
                Momentum = 0.9,
                OuterMomentum = 0.5,
                DecayShape = LearningRateDecay.Linear,
            },
            Model = Model with { Lora = Model.Lora with { Alpha = 32 } },
            Corpus = CorpusSettings.Defaults with { StreamWindow = 4, HeldOut = 0.1, Validation = ["v.txt"] },
        };
        Assert.Equal(
            [
                "optimizer.momentum = 0.9 has no effect: optimizer.kind = adamw",
                "optimizer.outer-momentum = 0.5 has no effect: run.averaging = average",
                "optimizer.decay-shape = linear has no effect: optimizer.schedule = cosine",
                "model.lora-alpha = 32 has no effect: model.lora-rank = 0",
                "corpus.stream-window = 4 has no effect: corpus.order = shuffle",
                "corpus.held-out = 0.1 has no effect: corpus.validation names what is held out",
            ], SettingsWithoutEffect.Of(set));
        Assert.Empty(SettingsWithoutEffect.Of(set with
        {
            Optimizer = set.Optimizer with { Kind = "muon", Schedule = LearningRateSchedule.WarmupStableDecay },
            Run = RunSettings.Defaults with { Averaging = AveragingMethod.Nesterov },
            Model = Model with { Lora = set.Model.Lora with { Rank = 8 } },
            Corpus = set.Corpus with { Order = CorpusOrder.Stream, Validation = [] },
        }));
        Assert.Equal(
            [
                "node.public-url = https://lm has no effect: node.dashboard = false",
                "node.ops-token-file = t has no effect: node.ops-port is not set",
            ],
            SettingsWithoutEffect.Of(NodeSettings.Defaults with { Dashboard = false, PublicUrl = "https://lm", OpsTokenFile = "t" }));
    }

    private static readonly ModelSettings Llama = Model with { Architecture = "llama" };

    private static ModelSettings With(ModelSettings model, Func<LlamaSettings, LlamaSettings> change) =>
        model with { Llama = change(model.Llama) };

    private static ModelSettings Rotary(Func<RotarySettings, RotarySettings> change) =>
        With(Llama, l => l with { Rotary = change(l.Rotary) });

    public static TheoryData<ModelSettings, string> Llamas => new()
    {
        { With(Llama, l => l with { KeyHeads = 3 }),
            "model.heads = 4 does not divide by model.key-heads = 3: use a divisor of the heads" },
        { With(Llama, l => l with { KeyHeads = 8 }),
            "model.heads = 4 does not divide by model.key-heads = 8: use a divisor of the heads" },
        { Llama with { Width = 60 },
            "heads of 15 channels cannot be rotated in pairs: use an even model.head-size, or another model.width" },
        { Llama with { Width = 66 }, "model.width = 66 does not divide by model.heads = 4: use a multiple of the heads" },
        { With(Llama, l => l with { HeadSize = 258 }), "model.head-size = 258: use 0 (width / heads) to 256" },
        { With(Llama, l => l with { NormEpsilon = 0 }), "model.norm-epsilon = 0: use 1e-12 to 1" },
        { Llama with { Context = 1_000_001 }, "model.context = 1000001: use at most 1000000 with rotary positions" },
        { Llama with { Width = 1 << 20, Heads = 4096, Layers = 100 },
            "model.layers = 100 with model.width = 1048576, model.context = 32 and a vocabulary of 257 are 1.3e+15 parameters" },
        { Rotary(r => r with { Theta = 1 }), "model.rope-theta = 1: use a number above 1" },
        { Rotary(r => r with { Factor = 2 }), "model.rope-factor = 2 means nothing with model.rope-scaling = none: leave it out" },
        { Rotary(r => r with { Scaling = RotaryScaling.Linear, Factor = 2, OriginalContext = 8 }),
            "model.rope-original-context = 8 means nothing with model.rope-scaling = linear: leave it out" },
        { Rotary(r => r with { Scaling = RotaryScaling.Llama3, Factor = 2, OriginalContext = 8, YarnAttention = 1 }),
            "model.rope-yarn-attention = 1 means nothing with model.rope-scaling = llama3: leave it out" },
        { Rotary(r => r with { Scaling = RotaryScaling.Yarn, Factor = 2, OriginalContext = 8, YarnBetas = new NumberPair(1, 32) }),
            "model.rope-yarn-betas: use a larger number first, e.g. [32, 1]" },
        { Rotary(r => r with { Scaling = RotaryScaling.Llama3, Factor = 2, OriginalContext = 8, Llama3Factors = new NumberPair(4, 4) }),
            "model.rope-llama3-factors: use a smaller number first, e.g. [1, 4]" },
        { Rotary(r => r with { Scaling = RotaryScaling.Dynamic, Factor = 0.5, OriginalContext = 8 }), "model.rope-factor = 0.5: use 1 to" },
        { With(Rotary(r => r with { Scaling = RotaryScaling.Dynamic, Factor = 2, OriginalContext = 8 }), l => l with { HeadSize = 2 }),
            "model.rope-scaling = dynamic changes no frequency of heads of 2 channels: use a larger model.head-size" },
        // What is only the other architecture's.
        { With(Model, l => l with { KeyHeads = 2 }),
            "model.key-heads = 2 means nothing to model.architecture = \"gpt2\": use \"llama\", or leave it out" },
        { With(Model, l => l with { TiedEmbeddings = true }),
            "model.tied-embeddings = true means nothing to model.architecture = \"gpt2\": use \"llama\", or leave it out" },
        { With(Model, l => l with { Rotary = l.Rotary with { Theta = 5e5 } }),
            "model.rope-theta = 500000 means nothing to model.architecture = \"gpt2\": use \"llama\", or leave it out" },
    };

    [Theory]
    [MemberData(nameof(Llamas))]
    public void A_network_of_the_llama_kind_that_cannot_be_is_refused(ModelSettings settings, string problem) =>
        Assert.StartsWith(problem, Assert.Single(settings.Problems()), StringComparison.Ordinal);

    [Theory]
    [InlineData(RotaryScaling.Dynamic, "dynamic")]
    [InlineData(RotaryScaling.Yarn, "yarn")]
    [InlineData(RotaryScaling.Llama3, "llama3")]
    public void Stretching_needs_the_original_context(RotaryScaling scaling, string name)
    {
        var settings = Rotary(r => r with { Scaling = scaling, Factor = 2 });
        Assert.Equal(
            $"model.rope-scaling = {name} needs model.rope-original-context: the context that the weights were trained with",
            Assert.Single(settings.Problems()));
        Assert.Empty(Rotary(r => r with { Scaling = scaling, Factor = 2, OriginalContext = 8 }).Problems());
    }

    public static TheoryData<OptimizerSettings, string> Optimizers => new()
    {
        { Optimizer with { LearningRate = double.NaN, MinimumLearningRate = 0 }, "optimizer.learning-rate = NaN: use a number above 0" },
        { Optimizer with { MinimumLearningRate = -1 }, "optimizer.minimum-learning-rate = -1: use 0 or more" },
        { Optimizer with { MinimumLearningRate = 1 }, "optimizer.minimum-learning-rate = 1: use 0 to optimizer.learning-rate (0.0003)" },
        { Optimizer with { Beta2 = 1 }, "optimizer.betas = [0.9, 1]: use two numbers from 0 to less than 1" },
        { Optimizer with { Beta1 = -0.5 }, "optimizer.betas = [-0.5, 0.95]: use two numbers from 0 to less than 1" },
        { Optimizer with { Epsilon = 0 }, "optimizer.epsilon = 0: use at least 1.2e-38" },
        { Optimizer with { WeightDecay = -1 }, "optimizer.weight-decay = -1: use 0 or more" },
        { Optimizer with { Clip = -1 }, "optimizer.clip = -1: use 0 (no clipping) or more" },
        { Optimizer with { LabelSmoothing = 1 }, "optimizer.label-smoothing = 1: use 0 to less than 1" },
        { Optimizer with { WarmupSteps = -1 }, "optimizer.warmup-steps = -1: use 0 or more" },
        { Optimizer with { OuterLearningRate = 0 }, "optimizer.outer-learning-rate = 0: use a number above 0" },
        { Optimizer with { OuterMomentum = 1 }, "optimizer.outer-momentum = 1: use 0 to less than 1" },
        { Optimizer with { Kind = "adam" }, "optimizer.kind = \"adam\": use \"adamw\" or \"muon\"" },
        { Optimizer with { Momentum = 1 }, "optimizer.momentum = 1: use 0 to less than 1" },
        { Optimizer with { AdamWRate = 0 }, "optimizer.adamw-rate = 0: use a number above 0" },
        { Optimizer with { DecayShare = 1.5 }, "optimizer.decay-share = 1.5: use 0 to 1" },
        {
            Optimizer with { Schedule = LearningRateSchedule.InverseSquareRoot, WarmupSteps = 0 },
            "optimizer.warmup-steps = 0: optimizer.schedule = inverse-square-root falls from the end of the warm-up; use 1 or more " +
            "(4000 in Vaswani et al. 2017)"
        },
    };

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void An_optimizer_that_cannot_be_is_refused(OptimizerSettings settings, string problem) =>
        Assert.Contains(problem, settings.Problems());

    [Fact]
    public void Numbers_that_no_checkpoint_evaluation_corpus_or_node_can_have_are_refused()
    {
        Assert.Equal(
            ["checkpoint.every-rounds = 0: use at least 1", "checkpoint.keep = 0: use 1 to 1000"],
            new CheckpointSettings { EveryRounds = 0, Keep = 0 }.Problems());
        Assert.Equal(
            ["evaluation.every-rounds = 0: use at least 1", "evaluation.sequences = 0: use 1 to 1048576"],
            (EvaluationSettings.Defaults with { EveryRounds = 0, Sequences = 0 }).Problems());
        Assert.Equal(
            ["corpus.tokenizer = \"bpe\": use byte, gpt2 or the path of a tokenizer's folder or file",
                "corpus.held-out = 0.6: use 0 to 0.5"],
            (CorpusSettings.Defaults with { Tokenizer = "bpe", HeldOut = 0.6 }).Problems());
        Assert.Equal(
            [
                "node.threads-per-device = -1: use 0 (all cores, or one thread each) to 1024", "node.data-dir is empty: name a folder",
                "node.port = 65536: use 0 to 65535",
            ],
            (NodeSettings.Defaults with { ThreadsPerDevice = -1, DataDir = "", Port = 65536 }).Problems());
    }

    [Fact]
    public void All_blocks_are_asked_and_good_ones_have_no_problem()
    {
        var good = TrainingSettings.Defaults;
        Assert.Empty(good.Problems());
        Assert.Empty(NodeSettings.Defaults.Problems());
        var bad = new TrainingSettings
        {
            Run = Run with { Replicas = 0 },
            Batch = Batch(0, 1),
            Model = Model with { Layers = 0 },
            Optimizer = Optimizer with { Epsilon = 0 },
            Corpus = good.Corpus with { Tokenizer = "bpe" },
            Checkpoint = good.Checkpoint with { Keep = 0 },
            Evaluation = good.Evaluation with { EveryRounds = 0 },
        };
        Assert.Equal(7, bad.Problems().Count());
    }

    [Fact]
    public void A_model_s_vocabulary_is_padded_to_a_multiple_of_64_and_its_signature_is_not()
    {
        Assert.Equal([64, 64, 320, 50304], new[] { 1, 64, 257, 50257 }.Select(v => (Model with { Vocabulary = v }).PaddedVocabulary));
        Assert.Equal("gpt2 2x64 heads 4 context 32 vocabulary 257", Model.Signature);
        Assert.Equal("llama 2x64 heads 4/4 of 16 feed-forward 256 vocabulary 257", Llama.Signature);
        Assert.Equal(
            "llama 2x64 heads 4/2 of 18 feed-forward 96 vocabulary 257 tied biases head norms",
            With(Llama, l => l with
            {
                KeyHeads = 2,
                HeadSize = 18,
                FeedForward = 96,
                TiedEmbeddings = true,
                AttentionBiases = true,
                HeadNorms = true,
            }).Signature);
    }

    [Fact]
    public void A_checkpoint_of_the_llama_kind_fits_a_longer_context()
    {
        var stretched = Rotary(r => r with { Scaling = RotaryScaling.Linear, Factor = 4 }) with { Context = 4 * Llama.Context };
        Assert.Equal(Llama.Signature, stretched.Signature);
        Assert.NotEqual(Model.Signature, (Model with { Context = 4 * Model.Context }).Signature);
    }

    [Fact]
    public void The_width_of_the_feed_forward_network_is_the_published_one_where_nobody_sets_it()
    {
        // Of Llama 7B, 13B and 65B.
        Assert.Equal([11_008, 13_824, 22_016], new[] { 4096, 5120, 8192 }.Select(w => (Llama with { Width = w }).FeedForward));
    }
}
