using CsCheck;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Configuration;

public sealed class SettingsTextTests
{
    private static readonly Gen<double> Number = Gen.Double.Where(double.IsFinite);

    private static readonly Gen<TrainingSettings> Settings = Gen.Select(
        Gen.Select(Gen.String, Gen.ULong, Gen.Int, Gen.Int.Nullable(), Gen.Int.Nullable(), Gen.Enum<AveragingMethod>(),
            (name, seed, n, rounds, epochs, averaging) => new RunSettings(name, seed, n, n, rounds, epochs, averaging)),
        Gen.Select(Gen.Int, Gen.Int, (a, b) => new BatchSettings(a, b)),
        Gen.Select(Gen.String, Gen.Int, Number, Gen.String.Null(), (s, n, d, init) => new ModelSettings(s, n, n, n, n, n, d, init)),
        Gen.Select(Number, Number, Gen.Enum<LearningRateSchedule>(), Gen.Int, (x, y, schedule, n) =>
            new OptimizerSettings(x, y, x, y, x, y, x, y, schedule, n, x, y)),
        Gen.Select(Gen.String.Array, Gen.String, Number, (sources, s, x) => new CorpusSettings(sources, s, x)),
        Gen.Select(Gen.Int, Gen.Int, (a, b) => new CheckpointSettings(a, b)),
        Gen.Select(Gen.Int, Gen.Int, (a, b) => new EvaluationSettings(a, b)),
        (run, batch, model, optimizer, corpus, checkpoint, evaluation) =>
            new TrainingSettings(run, batch, model, optimizer, corpus, checkpoint, evaluation));

    [Fact]
    public void What_is_written_reads_back_to_the_same_bytes_and_the_same_settings() => Settings.Sample(settings =>
    {
        var text = SettingsText.Write(settings);
        var read = SettingsText.Read(text);
        Assert.Equal(text, SettingsText.Write(read));
        Assert.Equal(settings.Corpus.Sources, read.Corpus.Sources);
        var sources = settings.Corpus.Sources;
        Assert.Equal(settings, read with { Corpus = read.Corpus with { Sources = sources } });
    });

    /// <summary>A text like this lies in journals: it must read the same for ever.</summary>
    [Fact]
    public void The_text_of_the_default_settings_never_changes()
    {
        var golden = """
            {"run.name":"tiny","run.seed":42,"run.replicas":1,"run.inner-steps":20,"run.rounds":40,"run.epochs":null,"run.averaging":"average","run.audit-rate":0,
            "batch.sequences":16,"batch.micro":8,"model.architecture":"gpt2","model.layers":4,"model.heads":4,"model.width":128,
            "model.context":128,"model.vocabulary":0,"model.dropout":0,"model.init":null,"optimizer.learning-rate":0.002,
            "optimizer.minimum-learning-rate":0.0002,"optimizer.betas":[0.9,0.95],"optimizer.epsilon":1E-08,"optimizer.weight-decay":0.1,
            "optimizer.clip":1,"optimizer.label-smoothing":0,"optimizer.schedule":"cosine","optimizer.warmup-steps":40,
            "optimizer.outer-learning-rate":0.7,"optimizer.outer-momentum":0.9,"corpus.sources":[],"corpus.tokenizer":"byte",
            "corpus.held-out":0.01,"checkpoint.every-rounds":5,"checkpoint.keep":3,"evaluation.every-rounds":5,"evaluation.sequences":64}
            """.Replace("\n", "", StringComparison.Ordinal);
        Assert.Equal(golden, SettingsText.Write(SettingsText.Read(golden)));
        Assert.Equal("tiny", SettingsText.Read(golden).Run.Name);

        // Runs older than the audit lack its rate: they are not audited.
        var older = golden.Replace("\"run.audit-rate\":0,", "", StringComparison.Ordinal);
        Assert.NotEqual(golden, older);
        Assert.Equal(golden, SettingsText.Write(SettingsText.Read(older)));
    }

    [Fact]
    public void Its_names_are_the_keys_of_the_configuration() => Assert.Equal(
        ConfigurationKeys.All.Where(k => !k.StartsWith("node.", StringComparison.Ordinal)),
        System.Text.Json.Nodes.JsonNode.Parse(SettingsText.Write(Tiny()))!.AsObject().Select(p => p.Key));

    [Fact]
    public void A_text_that_lacks_a_key_or_has_a_foreign_one_is_refused()
    {
        var text = SettingsText.Write(Tiny());
        Assert.Contains("run.seed", Refusal(text.Replace("\"run.seed\":42,", "", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("newer Elastic", Refusal(text.Replace("{", "{\"run.moon-phase\":1,", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("run.averaging", Refusal(text.Replace("\"average\"", "\"median\"", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Refusal(text[..20]), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Refusal(text.Replace("{", "{\"run.seed\":7,", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_difference_names_key_old_and_new() => Assert.Equal(
        ["run.rounds: 80 -> none", "run.epochs: none -> 2", "optimizer.learning-rate: 0.003 -> 0.001"],
        SettingsDifference.Between(Tiny(), Tiny("run.epochs=2", "optimizer.learning-rate=1e-3")));

    [Fact]
    public void What_does_not_change_the_answer_is_no_difference() => Assert.Empty(SettingsDifference.Between(
        Tiny(), Tiny("run.name=other", "checkpoint.keep=9", "evaluation.sequences=9", "corpus.sources=[elsewhere]", "node.devices=cpu:2")));

    private static TrainingSettings Tiny(params string[] sets) => ConfigurationLoader.Load(new(["tiny"], sets)).Training;

    private static string Refusal(string text) => Assert.Throws<ElasticException>(() => SettingsText.Read(text)).Message;
}
