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

    // Positions of samples and tokens are 64-bit numbers.
    private const double MostTokens = 1L << 62;

    public static TrainingSettings Defaults { get; } = SettingsRecord.DefaultsOf<TrainingSettings>();

    public required RunSettings Run { get; init; }

    public required BatchSettings Batch { get; init; }

    public required ModelSettings Model { get; init; }

    public required OptimizerSettings Optimizer { get; init; }

    public required CorpusSettings Corpus { get; init; }

    public required CheckpointSettings Checkpoint { get; init; }

    public required EvaluationSettings Evaluation { get; init; }

    // Each number is within its bounds; what is computed from them must be countable, too, before anything is stored or allocated.
    protected override IEnumerable<string> ProblemsTogether()
    {
        var pass = (double)Batch.Micro * (Model.Context + 1.0);
        if (pass > MostTokensOfPass)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"batch.micro = {Batch.Micro} with model.context = {Model.Context} are {pass:0.0e+0} tokens in one forward pass: "
                + $"use at most {MostTokensOfPass:0.0e+0}");
        var run = (double)Run.Replicas * Run.InnerSteps * Batch.Sequences * Model.Context * (Run.Rounds ?? 1);
        if (run > MostTokens)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"run.rounds = {Run.Rounds ?? 1} of run.inner-steps = {Run.InnerSteps} with batch.sequences = {Batch.Sequences}, "
                + $"run.replicas = {Run.Replicas} and model.context = {Model.Context} are {run:0.0e+0} tokens: use at most "
                + $"{MostTokens:0.0e+0}");
    }
}
