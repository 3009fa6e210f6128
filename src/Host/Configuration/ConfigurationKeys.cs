using Elastic.Foundation;

namespace Elastic.Host.Configuration;

/// <summary>The names of all settings. What is not in here is an error, so that a misspelt key never passes for a default.</summary>
internal static class ConfigurationKeys
{
    /// <summary>Every key, in the order of reference.conf.</summary>
    public static readonly IReadOnlyList<string> All =
    [
        "run.name", "run.seed", "run.replicas", "run.inner-steps", "run.rounds", "run.epochs", "run.averaging", "run.audit-rate",
        "batch.sequences", "batch.micro",
        "model.architecture", "model.layers", "model.heads", "model.width", "model.context", "model.vocabulary", "model.dropout", "model.init",
        "optimizer.learning-rate", "optimizer.minimum-learning-rate", "optimizer.betas", "optimizer.epsilon", "optimizer.weight-decay",
        "optimizer.clip", "optimizer.label-smoothing", "optimizer.schedule", "optimizer.warmup-steps",
        "optimizer.outer-learning-rate", "optimizer.outer-momentum",
        "corpus.sources", "corpus.tokenizer", "corpus.held-out",
        "checkpoint.every-rounds", "checkpoint.keep",
        "evaluation.every-rounds", "evaluation.sequences",
        "node.devices", "node.threads-per-device", "node.data-dir", "node.host", "node.port", "node.http-port", "node.pbm-port",
        "node.database", "node.network", "node.corpora-dir",
    ];

    /// <summary>Two keys that say the same thing in two ways: the later layer takes the other one back.</summary>
    public static readonly IReadOnlyList<string> Alternatives = ["run.rounds", "run.epochs"];

    public static bool IsKnown(string key) => All.Contains(key);

    /// <summary>True for "run" and the like: a name that only groups keys.</summary>
    public static bool IsBlock(string key) => All.Any(k => k.StartsWith(key + ".", StringComparison.Ordinal));

    /// <summary>The known key that was probably meant: close as a whole, or with the right last name in the wrong block.</summary>
    public static string Nearest(string key) =>
        All.MinBy(known => Math.Min(EditDistance.Between(key, known), 1 + EditDistance.Between(LastName(key), LastName(known))))!;

    private static string LastName(string key) => key[(key.LastIndexOf('.') + 1)..];
}
