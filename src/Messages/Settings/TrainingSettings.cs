using System.Globalization;

namespace Elastic.Messages.Settings;

/// <summary>
/// Everything that decides the weights of a run, together with the corpus itself. Nothing in here says where
/// the run is computed: that is <see cref="NodeSettings"/>.
/// </summary>
public sealed record TrainingSettings : SettingsGroup
{
    // The tokens of a forward pass are one array.
    private const double MostTokensOfPass = 1 << 30;

    // What goes over a cut is one array, with its header.
    private const double MostBytesHanded = int.MaxValue - 2048;

    // Positions of samples and tokens are 64-bit numbers.
    private const double MostTokens = 1L << 62;

    // A token of each sentence, and three around them.
    private const int LeastPairContext = 5;

    public static TrainingSettings Defaults { get; } = SettingsRecord.DefaultsOf<TrainingSettings>();

    public required RunSettings Run { get; init; }

    public required BatchSettings Batch { get; init; }

    public required ModelSettings Model { get; init; }

    public required OptimizerSettings Optimizer { get; init; }

    public required CorpusSettings Corpus { get; init; }

    public required CheckpointSettings Checkpoint { get; init; }

    public required EvaluationSettings Evaluation { get; init; }

    /// <summary>T: tokens of a sample.</summary>
    public int SampleTokens => Corpus.SampleTokens > 0 ? Corpus.SampleTokens : Model.Context;

    /// <summary>
    /// What a new run is refused for, besides <see cref="SettingsGroup.Problems"/>: it does no harm, and does not do what whoever sets it
    /// expects. A run that an earlier version of Elastic began with it goes on.
    /// </summary>
    public IEnumerable<string> ProblemsOfNewRun()
    {
        if (Evaluation.MayEndRuns && Corpus.HeldOut == 0 && Corpus.Validation.Count == 0)
            yield return $"{Evaluation.End} ends a run by its scores of held-out text, and with corpus.held-out = 0 there is none: hold "
                + "out a share of the text (corpus.held-out), name some (corpus.validation), or leave it out";
        if (Optimizer.Kind == "muon" && Model.Lora.IsUsed)
            yield return $"optimizer.kind = muon with model.lora-rank = {Model.Lora.Rank}: Muon updates hidden matrices of the network, "
                + "which adapters leave as they are, so that AdamW would train all that is trained; use adamw";
    }

    // Each number is within its bounds; what is computed from them must be countable, too, before anything is stored or allocated.
    protected override IEnumerable<string> ProblemsTogether()
    {
        if (Model.ReadsPairs ? Corpus.Samples != SampleKind.Pairs : Corpus.Samples == SampleKind.Pairs && !Model.IsMasked)
            yield return Model.ReadsPairs
                ? "model.architecture = \"transformer\" reads pairs: set corpus.samples = pairs, and corpus.answer-field"
                : $"corpus.samples = pairs is for model.architecture = \"transformer\" or \"bert\", not for \"{Model.Architecture}\": that "
                    + "learns prompts and their answers from corpus.samples = documents with corpus.answer-field";
        if (Corpus.Samples == SampleKind.Pairs && Corpus.AnswerField is null)
            yield return "corpus.samples = pairs: set corpus.answer-field to the field of a .jsonl record that holds the target; "
                + "corpus.text-field names that of the source";
        if (Corpus.ChatTemplate != ChatTemplate.None && (Model.IsMasked || Corpus.Samples == SampleKind.Pairs))
            yield return $"corpus.chat-template = {SettingKind.Word(Corpus.ChatTemplate)}: conversations are for models that continue a "
                + $"text, not for model.architecture = \"{Model.Architecture}\" with corpus.samples = {SettingKind.Word(Corpus.Samples)}";
        if (Corpus.SampleTokens > Model.Context)
            yield return $"corpus.sample-tokens = {Corpus.SampleTokens} with model.context = {Model.Context}: the model reads no longer "
                + $"sample; use at most {Model.Context}, or 0";
        if (Model.IsMasked && Corpus.Samples == SampleKind.Pairs && Corpus.SampleTokens > 0)
            yield return $"corpus.sample-tokens = {Corpus.SampleTokens}: a pair of sentences has all of model.context; leave it out";
        if (Model.IsMasked && Corpus.Samples == SampleKind.Pairs && Model.Context < LeastPairContext)
            yield return $"model.context = {Model.Context} holds no pair of sentences and the tokens around them: use at least "
                + $"{LeastPairContext}";
        if (Model.Bert.ClassToken is { } first && Model.IsMasked && Corpus.Samples != SampleKind.Pairs)
            yield return $"model.class-token = {first} begins pairs of sentences: set corpus.samples = pairs, or leave it out";
        if (Corpus.WholeWords && !Model.IsMasked)
            yield return $"corpus.whole-words = true: model.architecture = \"{Model.Architecture}\" hides no words; use \"bert\", or leave "
                + "it out";
        if (Model.IsMasked && Corpus.AnswerField is not null && Corpus.Samples != SampleKind.Pairs)
            yield return $"corpus.answer-field = \"{Corpus.AnswerField}\": model.architecture = \"{Model.Architecture}\" predicts hidden "
                + "tokens of all text, and has no answers; leave it out, or set corpus.samples = pairs for pairs of sentences";
        if (Corpus.Order == CorpusOrder.Stream && Run.Epochs is null && Evaluation.MayEndRuns)
            yield return "evaluation.patience and evaluation.target-loss end a run by its scores, and with corpus.order = stream it "
                + "depends on when the build ends which versions are scored: leave them out, or use run.epochs, which waits for the build";
        if (Run.Stages > 1 && Optimizer.MirrorSlices)
            yield return $"run.stages = {Run.Stages} with optimizer.mirror-slices = true: a stage has one device and no neighbour that "
                + "could keep a copy; leave it out, or use run.stages = 1";
        var sample = Corpus.SampleTokens > 0 ? $"corpus.sample-tokens = {SampleTokens}" : $"model.context = {SampleTokens}";
        var handed = sizeof(float) * (double)Batch.Micro * SampleTokens * Model.Width;
        if (Run.Stages > 1 && handed > MostBytesHanded)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"run.stages = {Run.Stages} with batch.micro = {Batch.Micro}, {sample} and model.width = "
                + $"{Model.Width}: a stage would hand its neighbour {handed:0.0e+0} bytes at once, and can hand over "
                + $"{MostBytesHanded:0.0e+0}; lower batch.micro");
        var pass = (double)Batch.Micro * (SampleTokens + 1.0);
        if (pass > MostTokensOfPass)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"batch.micro = {Batch.Micro} with {sample} are {pass:0.0e+0} tokens in one forward pass: "
                + $"use at most {MostTokensOfPass:0.0e+0}");
        var run = (double)Run.Replicas * Run.InnerSteps * Batch.Sequences * SampleTokens * (Run.Rounds ?? 1);
        if (run > MostTokens)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"run.rounds = {Run.Rounds ?? 1} of run.inner-steps = {Run.InnerSteps} with batch.sequences = {Batch.Sequences}, "
                + $"run.replicas = {Run.Replicas} and {sample} are {run:0.0e+0} tokens: use at most "
                + $"{MostTokens:0.0e+0}");
    }
}
