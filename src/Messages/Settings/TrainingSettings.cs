namespace Elastic.Messages.Settings;

/// <summary>
/// Everything that decides the weights of a run, together with the corpus itself. Nothing in here says where
/// the run is computed: that is <see cref="NodeSettings"/>.
/// </summary>
public sealed record TrainingSettings(
    RunSettings Run,
    BatchSettings Batch,
    ModelSettings Model,
    OptimizerSettings Optimizer,
    CorpusSettings Corpus,
    CheckpointSettings Checkpoint,
    EvaluationSettings Evaluation)
{
    /// <summary>What is wrong with these settings, one sentence each with its remedy; empty when nothing is.</summary>
    public IEnumerable<string> Problems() =>
    [
        .. Run.Problems(), .. Batch.Problems(), .. Model.Problems(), .. Optimizer.Problems(),
        .. Corpus.Problems(), .. Checkpoint.Problems(), .. Evaluation.Problems(),
    ];
}
