using Elastic.Messages.Settings;

namespace Elastic.Host.Configuration;

/// <summary>All settings of one command, bound and checked.</summary>
/// <param name="Title">Which presets and files they come from, for people: "tiny", "gpt2-124m + mine.conf".</param>
internal sealed record ElasticSettings(string Title, TrainingSettings Training, NodeSettings Node)
{
    /// <summary>Binds merged keys to the records, once. Throws with every problem that there is.</summary>
    public static ElasticSettings Bind(string title, IReadOnlyDictionary<string, ConfigurationValue> values)
    {
        var read = new SettingsReader(values);
        var training = new TrainingSettings(
            new RunSettings(
                read.Text("run.name"), read.Natural("run.seed"), read.Whole("run.replicas"), read.Whole("run.inner-steps"),
                read.OptionalWhole("run.rounds"), read.OptionalWhole("run.epochs"), read.Choice<AveragingMethod>("run.averaging"),
                read.Number("run.audit-rate")),
            new BatchSettings(read.Whole("batch.sequences"), read.Whole("batch.micro")),
            new ModelSettings(
                read.Text("model.architecture"), read.Whole("model.layers"), read.Whole("model.heads"), read.Whole("model.width"),
                read.Whole("model.context"), read.Whole("model.vocabulary"), read.Number("model.dropout"), read.OptionalText("model.init")),
            BindOptimizer(read),
            new CorpusSettings(read.Texts("corpus.sources"), read.Text("corpus.tokenizer"), read.Number("corpus.held-out")),
            new CheckpointSettings(read.Whole("checkpoint.every-rounds"), read.Whole("checkpoint.keep")),
            new EvaluationSettings(read.Whole("evaluation.every-rounds"), read.Whole("evaluation.sequences")));
        var node = new NodeSettings(
            read.Text("node.devices"), read.Whole("node.threads-per-device"), FullPath(read.Text("node.data-dir")),
            read.Text("node.host"), read.Whole("node.port"), read.Whole("node.http-port"), read.Whole("node.pbm-port"),
            read.OptionalText("node.database"), read.Text("node.network"), read.OptionalText("node.corpora-dir") is { } corpora ? FullPath(corpora) : null);

        // Values of the wrong type first: the records would complain about the stand-ins.
        if (read.Problems.Count > 0)
            throw new SettingsException(read.Problems);
        var problems = training.Problems().Concat(node.Problems()).Select(p => p + Place(p, values)).ToList();
        return problems.Count > 0 ? throw new SettingsException(problems) : new ElasticSettings(title, training, node);
    }

    private static OptimizerSettings BindOptimizer(SettingsReader read)
    {
        var (beta1, beta2) = read.Pair("optimizer.betas");
        return new OptimizerSettings(
            read.Number("optimizer.learning-rate"), read.Number("optimizer.minimum-learning-rate"), beta1, beta2,
            read.Number("optimizer.epsilon"), read.Number("optimizer.weight-decay"), read.Number("optimizer.clip"),
            read.Number("optimizer.label-smoothing"), read.Choice<LearningRateSchedule>("optimizer.schedule"), read.Whole("optimizer.warmup-steps"),
            read.Number("optimizer.outer-learning-rate"), read.Number("optimizer.outer-momentum"));
    }

    private static string FullPath(string path) => path.Length == 0 ? path : Path.GetFullPath(path);

    // A problem opens with its key; where that key was set, the place helps. A default needs no place.
    private static string Place(string problem, IReadOnlyDictionary<string, ConfigurationValue> values) =>
        values.TryGetValue(problem.Split(' ')[0], out var value) && !value.Where.StartsWith("reference", StringComparison.Ordinal)
            ? $" ({value.Where})" : "";
}
