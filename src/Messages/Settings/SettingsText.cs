using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>
/// The canonical text of <see cref="TrainingSettings"/>: one flat JSON object whose names are the configuration's own keys, always in
/// this order. Equal settings give equal bytes. The journal stores it for good: add keys, never rename or reuse one, and give an
/// added key the value here that it had before it existed.
/// </summary>
public static class SettingsText
{
    /// <summary>The text, e.g. {"run.name":"tiny","run.seed":42,…}.</summary>
    public static string Write(TrainingSettings settings)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (key, value) in Entries(settings))
            {
                json.WritePropertyName(key);
                if (value is null)
                    json.WriteNullValue();
                else
                    value.WriteTo(json);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>The settings that <paramref name="text"/> was written from.</summary>
    public static TrainingSettings Read(string text)
    {
        JsonObject json;
        try
        {
            json = JsonNode.Parse(text, documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject ?? throw new ElasticException("the stored settings of the run are not a JSON object");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"the stored settings of the run cannot be read: {e.Message}", e);
        }

        var reader = new Reader(json);
        var settings = new TrainingSettings(
            new RunSettings(
                reader.Take<string>("run.name"), reader.Take<ulong>("run.seed"), reader.Take<int>("run.replicas"),
                reader.Take<int>("run.inner-steps"), reader.TakeOptional<int>("run.rounds"), reader.TakeOptional<int>("run.epochs"),
                reader.Choice<AveragingMethod>("run.averaging"), reader.TakeOptional<double>("run.audit-rate") ?? 0),
            new BatchSettings(reader.Take<int>("batch.sequences"), reader.Take<int>("batch.micro")),
            new ModelSettings(
                reader.Take<string>("model.architecture"), reader.Take<int>("model.layers"), reader.Take<int>("model.heads"),
                reader.Take<int>("model.width"), reader.Take<int>("model.context"), reader.Take<int>("model.vocabulary"),
                reader.Take<double>("model.dropout"), reader.TakeText("model.init")),
            ReadOptimizer(reader),
            new CorpusSettings(reader.TakeList<string>("corpus.sources"), reader.Take<string>("corpus.tokenizer"), reader.Take<double>("corpus.held-out")),
            new CheckpointSettings(reader.Take<int>("checkpoint.every-rounds"), reader.Take<int>("checkpoint.keep")),
            new EvaluationSettings(reader.Take<int>("evaluation.every-rounds"), reader.Take<int>("evaluation.sequences")));
        reader.RefuseTheRest();
        return settings;
    }

    /// <summary>Every key with its value, in canonical order.</summary>
    internal static IEnumerable<(string Key, JsonNode? Value)> Entries(TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (run, batch, model, optimizer, corpus, checkpoint, evaluation) = settings;
        return
        [
            ("run.name", run.Name), ("run.seed", run.Seed), ("run.replicas", run.Replicas), ("run.inner-steps", run.InnerSteps),
            ("run.rounds", run.Rounds), ("run.epochs", run.Epochs), ("run.averaging", Name(run.Averaging)), ("run.audit-rate", run.AuditRate),
            ("batch.sequences", batch.Sequences), ("batch.micro", batch.Micro),
            ("model.architecture", model.Architecture), ("model.layers", model.Layers), ("model.heads", model.Heads), ("model.width", model.Width),
            ("model.context", model.Context), ("model.vocabulary", model.Vocabulary), ("model.dropout", model.Dropout), ("model.init", model.Init),
            ("optimizer.learning-rate", optimizer.LearningRate), ("optimizer.minimum-learning-rate", optimizer.MinimumLearningRate),
            ("optimizer.betas", new JsonArray(optimizer.Beta1, optimizer.Beta2)), ("optimizer.epsilon", optimizer.Epsilon),
            ("optimizer.weight-decay", optimizer.WeightDecay), ("optimizer.clip", optimizer.Clip),
            ("optimizer.label-smoothing", optimizer.LabelSmoothing), ("optimizer.schedule", Name(optimizer.Schedule)),
            ("optimizer.warmup-steps", optimizer.WarmupSteps), ("optimizer.outer-learning-rate", optimizer.OuterLearningRate),
            ("optimizer.outer-momentum", optimizer.OuterMomentum),
            ("corpus.sources", new JsonArray([.. corpus.Sources.Select(s => (JsonNode)s)])), ("corpus.tokenizer", corpus.Tokenizer),
            ("corpus.held-out", corpus.HeldOut),
            ("checkpoint.every-rounds", checkpoint.EveryRounds), ("checkpoint.keep", checkpoint.Keep),
            ("evaluation.every-rounds", evaluation.EveryRounds), ("evaluation.sequences", evaluation.Sequences),
        ];
    }

    private static OptimizerSettings ReadOptimizer(Reader reader)
    {
        var betas = reader.TakeList<double>("optimizer.betas");
        return betas is not [var beta1, var beta2]
            ? throw new ElasticException("the stored settings of the run have no two optimizer.betas")
            : new OptimizerSettings(
                reader.Take<double>("optimizer.learning-rate"), reader.Take<double>("optimizer.minimum-learning-rate"), beta1, beta2,
                reader.Take<double>("optimizer.epsilon"), reader.Take<double>("optimizer.weight-decay"), reader.Take<double>("optimizer.clip"),
                reader.Take<double>("optimizer.label-smoothing"), reader.Choice<LearningRateSchedule>("optimizer.schedule"),
                reader.Take<int>("optimizer.warmup-steps"), reader.Take<double>("optimizer.outer-learning-rate"),
                reader.Take<double>("optimizer.outer-momentum"));
    }

    // Enumerations are stored by name: their numbers may move, their names may not.
    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>Takes keys out of a JSON object, so that what is left over is what this version does not know.</summary>
    private sealed class Reader(JsonObject json)
    {
        public T Take<T>(string key) => Remove(key) is { } node ? Value<T>(key, node) : throw new ElasticException($"the stored settings of the run lack {key}");

        public T? TakeOptional<T>(string key) where T : struct => Remove(key) is { } node ? Value<T>(key, node) : null;

        public string? TakeText(string key) => Remove(key) is { } node ? Value<string>(key, node) : null;

        public IReadOnlyList<T> TakeList<T>(string key) =>
            Remove(key) is JsonArray list ? [.. list.Select(n => Value<T>(key, n!))] : throw new ElasticException($"the stored settings of the run lack the list {key}");

        public T Choice<T>(string key) where T : struct, Enum =>
            Enum.TryParse<T>(Take<string>(key), ignoreCase: true, out var choice) ? choice : throw Unreadable(key);

        // To pass over a key would silently train something else than the run was started with.
        public void RefuseTheRest()
        {
            if (json.Count > 0)
                throw new ElasticException($"the run was started by a newer Elastic that knows {json.First().Key}: go on with that version");
        }

        private JsonNode? Remove(string key)
        {
            var node = json[key];
            json.Remove(key);
            return node;
        }

        private static T Value<T>(string key, JsonNode node)
        {
            try
            {
                return node.GetValue<T>();
            }
            catch (Exception e) when (e is InvalidOperationException or FormatException)
            {
                throw Unreadable(key);
            }
        }

        private static ElasticException Unreadable(string key) => new($"the stored settings of the run hold no usable {key}");
    }
}
