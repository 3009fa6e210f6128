using CsCheck;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Configuration;

public sealed class SettingsTextTests
{
    private const string WeightsDigest = "6b17b8fcc411a533c822a5117e33cf73fa6766739d7d36ac86dc4bea883af4fe";

    /// <summary>As it was written before texts had a version. It lies in journals: it must read the same for ever.</summary>
    private static readonly string Version1 = OneLine("""
        {"run.name":"tiny","run.seed":42,"run.replicas":1,"run.inner-steps":20,"run.rounds":40,"run.epochs":null,"run.averaging":"average",
        "run.audit-rate":0,"batch.sequences":16,"batch.micro":8,"model.architecture":"gpt2","model.layers":4,"model.heads":4,
        "model.width":128,"model.context":128,"model.vocabulary":0,"model.dropout":0,"model.init":null,"optimizer.learning-rate":0.002,
        "optimizer.minimum-learning-rate":0.0002,"optimizer.betas":[0.9,0.95],"optimizer.epsilon":1E-08,"optimizer.weight-decay":0.1,
        "optimizer.clip":1,"optimizer.label-smoothing":0,"optimizer.schedule":"cosine","optimizer.warmup-steps":40,
        "optimizer.outer-learning-rate":0.7,"optimizer.outer-momentum":0.9,"corpus.sources":[],"corpus.tokenizer":"byte",
        "corpus.held-out":0.01,"checkpoint.every-rounds":5,"checkpoint.keep":3,"evaluation.every-rounds":5,"evaluation.sequences":64}
        """);

    /// <summary>Likewise, of version 2.</summary>
    private static readonly string Version2 = OneLine("""
        {"settings":2,"run.name":"second","run.seed":18446744073709551615,"run.replicas":4,"run.inner-steps":500,"run.rounds":null,
        "run.epochs":3,"run.averaging":"nesterov","run.audit-rate":0.05,"batch.sequences":32,"batch.micro":4,"model.architecture":"gpt2",
        "model.layers":12,"model.heads":12,"model.width":768,"model.context":1024,"model.vocabulary":50257,"model.dropout":0.1,
        "model.init":"/a/round-000012.json","optimizer.learning-rate":0.0006,"optimizer.minimum-learning-rate":6E-05,
        "optimizer.betas":[0.8,0.99],"optimizer.epsilon":1E-06,"optimizer.weight-decay":0.2,"optimizer.clip":0.5,
        "optimizer.label-smoothing":0.01,"optimizer.schedule":"linear","optimizer.warmup-steps":700,"optimizer.outer-learning-rate":0.6,
        "optimizer.outer-momentum":0.8,"corpus.sources":["/b","c d"],"corpus.tokenizer":"gpt2","corpus.held-out":0.02,
        "checkpoint.every-rounds":10,"checkpoint.keep":2,"evaluation.every-rounds":11,"evaluation.sequences":128}
        """);

    /// <summary>Likewise, of version 3, which differs in what a corpus is.</summary>
    private static readonly string Version3 = Version2.Replace("\"settings\":2", "\"settings\":3", StringComparison.Ordinal).Replace(
        "\"corpus.tokenizer\"",
        "\"corpus.include\":[\"*.txt\"],\"corpus.exclude\":[\"drafts\",\"*.bin\"],\"corpus.text-field\":\"body\","
        + "\"corpus.encoding\":\"latin-1\",\"corpus.tokenizer\"", StringComparison.Ordinal);

    /// <summary>Likewise, of version 4, which knows the architecture llama, fine-tuning, and steps that compute blocks twice.</summary>
    private static readonly string Version4 = Version3.Replace("\"settings\":3", "\"settings\":4", StringComparison.Ordinal)
        .Replace("\"model.architecture\"", "\"batch.recompute\":\"blocks\",\"model.architecture\"", StringComparison.Ordinal)
        .Replace("128}", "128,\"evaluation.patience\":3,\"evaluation.target-loss\":2.5}", StringComparison.Ordinal)
        .Replace("\"corpus.include\"", "\"corpus.validation\":[\"valid.jsonl\"],\"corpus.include\"", StringComparison.Ordinal)
        .Replace("\"corpus.encoding\"", "\"corpus.answer-field\":\"answer\",\"corpus.encoding\"", StringComparison.Ordinal)
        .Replace("\"corpus.held-out\"", "\"corpus.samples\":\"documents\",\"corpus.held-out\"", StringComparison.Ordinal)
        .Replace("\"model.architecture\":\"gpt2\"", "\"model.architecture\":\"llama\"", StringComparison.Ordinal)
        .Replace("\"optimizer.epsilon\"", OneLine("""
        "optimizer.momentum":0.9,"optimizer.adamw-rate":0.5,"optimizer.epsilon"
        """), StringComparison.Ordinal)
        .Replace("\"linear\"", "\"warmup-stable-decay\"", StringComparison.Ordinal)
        .Replace("\"optimizer.warmup-steps\"", OneLine("""
        "optimizer.decay-share":0.1,"optimizer.decay-shape":"linear","optimizer.warmup-steps"
        """), StringComparison.Ordinal)
        .Replace(",\"optimizer.learning-rate\"", OneLine("""
        ,"model.init-digest":"WEIGHTS","model.key-heads":4,"model.head-size":96,"model.feed-forward":2048,"model.norm-epsilon":1E-06,
        "model.tied-embeddings":true,"model.attention-biases":true,"model.head-norms":false,"model.rope-theta":500000,
        "model.rope-scaling":"yarn","model.rope-factor":4,"model.rope-original-context":256,"model.rope-yarn-betas":[16,2],
        "model.rope-yarn-attention":1.25,"model.rope-llama3-factors":[1,4],"model.mask-token":null,"model.lora-rank":8,
        "model.lora-alpha":32,"model.lora-targets":["q_proj"],"model.lora-freeze-a":true,"optimizer.kind":"muon","optimizer.learning-rate"
        """), StringComparison.Ordinal).Replace("WEIGHTS", WeightsDigest, StringComparison.Ordinal);

    /// <summary>Likewise, of version 5.</summary>
    private static readonly string Version5 = Version4.Replace("\"settings\":4", "\"settings\":5", StringComparison.Ordinal)
        .Replace("\"model.rope-theta\"", "\"model.attention-window\":64,\"model.rope-theta\"", StringComparison.Ordinal)
        .Replace("\"run.audit-rate\"", "\"run.precision\":\"bf16\",\"run.audit-rate\"", StringComparison.Ordinal)
        .Replace("\"corpus.encoding\"", "\"corpus.chat-template\":\"chatml\",\"corpus.encoding\"", StringComparison.Ordinal)
        .Replace("\"corpus.held-out\"", "\"corpus.whole-words\":true,\"corpus.held-out\"", StringComparison.Ordinal)
        .Replace("\"corpus.held-out\"", "\"corpus.mixture\":[\"books=1.5\"],\"corpus.held-out\"", StringComparison.Ordinal)
        .Replace("\"corpus.held-out\"", "\"corpus.order\":\"stream\",\"corpus.stream-window\":3,\"corpus.held-out\"",
            StringComparison.Ordinal)
        .Replace("\"optimizer.outer-momentum\":0.8", "\"optimizer.outer-momentum\":0.8,\"optimizer.mirror-slices\":true",
            StringComparison.Ordinal)
        .Replace("\"model.lora-rank\"", "\"model.class-token\":101,\"model.lora-rank\"", StringComparison.Ordinal)
        .Replace("\"model.init-digest\"", "\"model.init-base\":\"/b\",\"model.init-digest\"", StringComparison.Ordinal)
        .Replace("\"batch.sequences\"", "\"run.devices-per-replica\":3,\"run.priority\":5,\"run.needs\":\"big\",\"batch.sequences\"",
            StringComparison.Ordinal);

    /// <summary>Likewise, of version 6.</summary>
    private static readonly string Version6 = Version5.Replace("\"settings\":5", "\"settings\":6", StringComparison.Ordinal)
        .Replace("\"run.priority\"", "\"run.stages\":3,\"run.priority\"", StringComparison.Ordinal);

    /// <summary>Likewise, of version 7.</summary>
    private static readonly string Version7 = Version6.Replace("\"settings\":6", "\"settings\":7", StringComparison.Ordinal)
        .Replace("\"corpus.whole-words\"", "\"corpus.sample-tokens\":96,\"corpus.whole-words\"", StringComparison.Ordinal);

    // A value of every kind for every key that there is, so that a new key is tried, too.
    private static readonly Gen<TrainingSettings> Settings = Gen.Select(
        Gen.String, Gen.ULong, Gen.Int, Gen.Double.Where(double.IsFinite), Gen.String.Array, Gen.Bool,
        (text, natural, whole, number, texts, none) => SettingsRecord.Make<TrainingSettings>(s =>
            s.IsOptional && none ? null : s.Kind.Name switch
            {
                "a text" => text,
                "a whole number" => whole,
                "a number" => number,
                "two numbers" => new NumberPair(number, -number),
                "a list of texts" => texts,
                var name when name.Contains("18446744073709551615", StringComparison.Ordinal) => natural,
                var choices => s.Kind.Parse([choices.Split(" or ")[(uint)whole % choices.Split(" or ").Length]], isList: false),
            }));

    [Fact]
    public void What_is_written_reads_back_to_the_same_bytes_and_the_same_settings() => Settings.Sample(settings =>
    {
        var text = SettingsText.Write(settings);
        var read = SettingsText.Read(text);
        Assert.Equal(text, SettingsText.Write(read));
        // Records compare lists by reference; the texts above have compared what is in them.
        var corpus = settings.Corpus;
        Assert.Equal(settings, read with
        {
            Corpus = read.Corpus with
            {
                Sources = corpus.Sources,
                Validation = corpus.Validation,
                Include = corpus.Include,
                Exclude = corpus.Exclude,
                Mixture = corpus.Mixture,
            },
        });
    });

    [Fact]
    public void Texts_without_a_version_are_read_as_they_always_were()
    {
        var settings = SettingsText.Read(Version1);
        var wanted = TrainingSettings.Defaults with { Run = RunSettings.Defaults with { Name = "tiny" } };
        Assert.Equal(wanted with { Corpus = settings.Corpus }, settings);
        Assert.Equal(SettingsText.Write(wanted), SettingsText.Write(settings));

        // Runs older than the audit lack its rate: they are not audited.
        var older = Version1.Replace("\"run.audit-rate\":0,", "", StringComparison.Ordinal);
        Assert.NotEqual(Version1, older);
        Assert.Equal(SettingsText.Write(settings), SettingsText.Write(SettingsText.Read(older)));
    }

    [Fact]
    public void Texts_of_version_2_are_read_as_they_always_were()
    {
        var settings = SettingsText.Read(Version2);
        Assert.Equal(["/b", "c d"], settings.Corpus.Sources);
        Assert.Equal(
            new TrainingSettings
            {
                Run = new RunSettings
                {
                    Name = "second",
                    Seed = ulong.MaxValue,
                    Replicas = 4,
                    InnerSteps = 500,
                    Rounds = null,
                    Epochs = 3,
                    Averaging = AveragingMethod.Nesterov,
                    Precision = TrainingPrecision.Fp32,
                    AuditRate = 0.05,
                    DevicesPerReplica = 0,
                    Stages = 1,
                    Priority = 0,
                    Needs = null,
                },
                Batch = BatchSettings.Defaults with { Sequences = 32, Micro = 4 },
                Model = new ModelSettings
                {
                    Architecture = "gpt2",
                    Layers = 12,
                    Heads = 12,
                    Width = 768,
                    Context = 1024,
                    Vocabulary = 50257,
                    Dropout = 0.1,
                    Init = "/a/round-000012.json",
                    InitBase = null,
                    InitDigest = null,
                    Llama = ModelSettings.Defaults.Llama,
                    Bert = ModelSettings.Defaults.Bert,
                    Lora = ModelSettings.Defaults.Lora,
                },
                Optimizer = new OptimizerSettings
                {
                    Kind = "adamw",
                    LearningRate = 6e-4,
                    MinimumLearningRate = 6e-5,
                    Betas = new NumberPair(0.8, 0.99),
                    Momentum = 0.95,
                    AdamWRate = 1,
                    Epsilon = 1e-6,
                    WeightDecay = 0.2,
                    Clip = 0.5,
                    LabelSmoothing = 0.01,
                    Schedule = LearningRateSchedule.Linear,
                    DecayShare = 0.2,
                    DecayShape = LearningRateDecay.SquareRoot,
                    WarmupSteps = 700,
                    OuterLearningRate = 0.6,
                    OuterMomentum = 0.8,
                    MirrorSlices = false,
                },
                Corpus = new CorpusSettings
                {
                    Sources = settings.Corpus.Sources,
                    Validation = settings.Corpus.Validation,
                    Include = settings.Corpus.Include,
                    Exclude = settings.Corpus.Exclude,
                    TextField = "text",
                    AnswerField = null,
                    ChatTemplate = ChatTemplate.None,
                    Encoding = "utf-8",
                    Tokenizer = "gpt2",
                    Samples = SampleKind.Blocks,
                    SampleTokens = 0,
                    WholeWords = false,
                    Mixture = settings.Corpus.Mixture,
                    Order = CorpusOrder.Shuffle,
                    StreamWindow = 8,
                    HeldOut = 0.02,
                },
                Checkpoint = new CheckpointSettings { EveryRounds = 10, Keep = 2 },
                Evaluation = EvaluationSettings.Defaults with { EveryRounds = 11, Sequences = 128 },
            }, settings);

        Assert.Empty(settings.Corpus.Include.Concat(settings.Corpus.Exclude));
    }

    [Fact]
    public void Texts_of_version_3_are_read_as_they_always_were()
    {
        var settings = SettingsText.Read(Version3);
        var second = SettingsText.Read(Version2);
        Assert.Equal(["*.txt"], settings.Corpus.Include);
        Assert.Equal(["drafts", "*.bin"], settings.Corpus.Exclude);
        Assert.Equal(("body", "latin-1"), (settings.Corpus.TextField, settings.Corpus.Encoding));
        Assert.Equal(second with { Corpus = settings.Corpus }, settings);
        Assert.Equal((SampleKind.Blocks, null), (settings.Corpus.Samples, settings.Corpus.AnswerField));
        Assert.Equal(RecomputeMode.None, settings.Batch.Recompute);
    }

    [Fact]
    public void Texts_of_version_4_are_read_as_they_always_were()
    {
        var settings = SettingsText.Read(Version4);
        Assert.Equal((SampleKind.Documents, "answer"), (settings.Corpus.Samples, settings.Corpus.AnswerField));
        Assert.Equal(["valid.jsonl"], settings.Corpus.Validation);
        Assert.Equal(RecomputeMode.Blocks, settings.Batch.Recompute);
        var third = SettingsText.Read(Version3);
        Assert.Equal(
            new LlamaSettings
            {
                KeyHeads = 4,
                HeadSize = 96,
                FeedForward = 2048,
                NormEpsilon = 1e-6,
                TiedEmbeddings = true,
                AttentionBiases = true,
                HeadNorms = false,
                AttentionWindow = 0,
                Rotary = new RotarySettings
                {
                    Theta = 500_000,
                    Scaling = RotaryScaling.Yarn,
                    Factor = 4,
                    OriginalContext = 256,
                    YarnBetas = new NumberPair(16, 2),
                    YarnAttention = 1.25,
                    Llama3Factors = new NumberPair(1, 4),
                },
            }, settings.Model.Llama);
        Assert.Equal(ModelSettings.Defaults.Llama, third.Model.Llama);
        Assert.Equal(
            new LoraSettings { Rank = 8, Alpha = 32, Targets = ["q_proj"], FreezesA = true }, settings.Model.Lora);
        Assert.Equal(
            third.Optimizer with
            {
                Kind = "muon",
                Momentum = 0.9,
                AdamWRate = 0.5,
                Schedule = LearningRateSchedule.WarmupStableDecay,
                DecayShare = 0.1,
                DecayShape = LearningRateDecay.Linear,
            },
            settings.Optimizer);
        Assert.Equal(
            third with
            {
                Optimizer = settings.Optimizer,
                Evaluation = third.Evaluation with { Patience = 3, TargetLoss = 2.5 },
                Batch = settings.Batch,
                Corpus = settings.Corpus,
                Model = third.Model with
                {
                    Architecture = "llama",
                    InitDigest = WeightsDigest,
                    Llama = settings.Model.Llama,
                    Lora = settings.Model.Lora,
                },
            },
            settings);
    }

    [Fact]
    public void Texts_of_version_5_are_read_as_they_always_were()
    {
        var (settings, fourth) = (SettingsText.Read(Version5), SettingsText.Read(Version4));
        Assert.Equal(
            (TrainingPrecision.Bf16, 64, ChatTemplate.Chatml, true, 101, 3),
            (settings.Run.Precision, settings.Model.Llama.AttentionWindow, settings.Corpus.ChatTemplate, settings.Corpus.WholeWords,
                settings.Model.Bert.ClassToken, settings.Run.DevicesPerReplica));
        Assert.Equal(["books=1.5"], settings.Corpus.Mixture);
        Assert.Empty(fourth.Corpus.Mixture);
        Assert.Equal((CorpusOrder.Stream, 3), (settings.Corpus.Order, settings.Corpus.StreamWindow));
        Assert.Equal((CorpusOrder.Shuffle, 8), (fourth.Corpus.Order, fourth.Corpus.StreamWindow));
        Assert.Equal(("/b", null), (settings.Model.InitBase, fourth.Model.InitBase));
        Assert.Equal(
            (TrainingPrecision.Fp32, 0, ChatTemplate.None, false, null, 0),
            (fourth.Run.Precision, fourth.Model.Llama.AttentionWindow, fourth.Corpus.ChatTemplate, fourth.Corpus.WholeWords,
                fourth.Model.Bert.ClassToken, fourth.Run.DevicesPerReplica));

    }

    [Fact]
    public void Texts_of_version_6_are_read_as_they_always_were()
    {
        var (settings, fifth) = (SettingsText.Read(Version6), SettingsText.Read(Version5));
        Assert.Equal((3, 1), (settings.Run.Stages, fifth.Run.Stages));
    }

    [Fact]
    public void Texts_of_version_7_are_read_as_they_always_were()
    {
        var (settings, sixth) = (SettingsText.Read(Version7), SettingsText.Read(Version6));
        Assert.Equal((96, 0), (settings.Corpus.SampleTokens, sixth.Corpus.SampleTokens));

        // As long as no key is added. With a new one, this text stays what it is and one of the new version comes beside it.
        Assert.Equal(Version7, SettingsText.Write(settings));
    }

    [Fact]
    public void Its_names_are_its_version_and_the_keys_of_the_configuration() => Assert.Equal(
        ["settings", .. SettingsSchema.All.Settings.Except(SettingsSchema.Node.Settings).Select(s => s.Key)],
        System.Text.Json.Nodes.JsonNode.Parse(SettingsText.Write(Tiny()))!.AsObject().Select(p => p.Key));

    [Theory]
    [InlineData("\"run.seed\":42,", "", "the stored settings of the run lack run.seed")]
    [InlineData("{", "{\"run.moon-phase\":1,", "the run was started by a newer Elastic that knows run.moon-phase: go on with that version")]
    [InlineData("\"settings\":7", "\"settings\":8",
        "the run was started by a newer Elastic, whose settings have version 8 (this one knows 7): go on with that version")]
    [InlineData("\"settings\":7", "\"settings\":0", "the stored settings of the run hold no usable settings")]
    [InlineData("\"settings\":7", "\"settings\":\"7\"", "the stored settings of the run hold no usable settings")]
    [InlineData("\"average\"", "\"median\"", "the stored settings of the run hold no usable run.averaging")]
    [InlineData("\"average\"", "\"1\"", "the stored settings of the run hold no usable run.averaging")]
    [InlineData("[0.9,0.95]", "[0.9]", "the stored settings of the run hold no usable optimizer.betas")]
    [InlineData("[0.9,0.95]", "[0.9,null]", "the stored settings of the run hold no usable optimizer.betas")]
    [InlineData("\"corpus.sources\":[]", "\"corpus.sources\":[null]", "the stored settings of the run hold no usable corpus.sources")]
    [InlineData("\"model.layers\":4", "\"model.layers\":4.5", "the stored settings of the run hold no usable model.layers")]
    [InlineData("\"run.audit-rate\":0,", "", "the stored settings of the run lack run.audit-rate")]
    public void A_text_that_is_not_whole_or_from_elsewhere_is_refused(string part, string other, string why)
    {
        var text = SettingsText.Write(Tiny());
        Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.Equal(
            why,
            Refusal($"{text[..text.IndexOf(part, StringComparison.Ordinal)]}{other}" +
                $"{text[(text.IndexOf(part, StringComparison.Ordinal) + part.Length)..]}"));
    }

    [Fact]
    public void A_text_that_cannot_be_read_is_refused()
    {
        var text = SettingsText.Write(Tiny());
        Assert.Contains("cannot be read", Refusal(text[..20]), StringComparison.Ordinal);
        Assert.Contains(
            "cannot be read", Refusal(text.Replace("{", "{\"run.seed\":7,", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("not a JSON object", Refusal("[]"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_difference_names_key_old_and_new() => Assert.Equal(
        ["run.rounds: 80 -> none", "run.epochs: none -> 2", "optimizer.clip: 1 -> 0.5"],
        SettingsDifference.Between(Tiny(), Tiny("run.epochs=2", "optimizer.clip=0.5")));

    [Fact]
    public void What_does_not_change_the_answer_is_no_difference() => Assert.Empty(SettingsDifference.Between(
        Tiny(), Tiny("run.name=other", "checkpoint.keep=9", "evaluation.sequences=9", "corpus.sources=[elsewhere]", "node.devices=cpu:2")));

    /// <summary>A key that is missing here by mistake would let a run go on with other weights.</summary>
    [Fact]
    public void Only_these_keys_may_change_while_a_run_goes_on() => Assert.Equal(
        ["run.name", "run.audit-rate", "run.devices-per-replica", "run.stages", "run.priority", "run.needs", "batch.recompute",
            "optimizer.mirror-slices", "corpus.sources", "corpus.validation", "corpus.include", "corpus.exclude",
            "corpus.text-field", "corpus.answer-field", "corpus.chat-template", "corpus.encoding", "checkpoint.every-rounds",
            "checkpoint.keep", "evaluation.every-rounds", "evaluation.sequences"],
        SettingsRecord.Of(typeof(TrainingSettings)).Settings.Where(s => !s.PartOfAnswer).Select(s => s.Key));

    private static TrainingSettings Tiny(params string[] sets) => ConfigurationLoader.Load(new(["tiny"], sets)).Training;

    private static string OneLine(string text) => text.Replace("\n", "", StringComparison.Ordinal);

    private static string Refusal(string text) => Assert.Throws<ElasticException>(() => SettingsText.Read(text)).Message;
}
